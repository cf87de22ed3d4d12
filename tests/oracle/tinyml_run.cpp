// tinyml_run MODEL double|single INPUT OUTPUT: runs a .tflite file over rows of raw numbers.
//
// INPUT and OUTPUT hold rows one behind the other in the model's own types: int8, or float32 in the
// machine's byte order. int8 rows run one by one, and then as one batch: other bytes are an error.
#include "shared/tinyml/batch.h"

#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

using stator::tinyml::Batch;
using stator::tinyml::Model;
using stator::tinyml::Rounding;
using stator::tinyml::Type;

std::string read(const char* path) {
    std::ifstream in{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

bool run_raw(Model& model, const std::string& input, std::string& output) {
    const std::size_t width = model.needs().input_count;
    std::vector<std::int8_t> row(width);
    std::vector<std::int8_t> result(model.needs().output_count);
    for (std::size_t at = 0; at + width <= input.size(); at += width) {
        std::memcpy(row.data(), input.data() + at, width);
        model.invoke_raw(row, result);
        output.append(reinterpret_cast<const char*>(result.data()), result.size());
    }
    std::vector<std::byte> room(Batch::room_bytes(model));
    std::vector<std::int8_t> rows(input.size() / width * width);
    std::memcpy(rows.data(), input.data(), rows.size());
    std::vector<std::int8_t> results(output.size());
    Batch{model, room}.invoke_raw(rows, results);
    return std::memcmp(results.data(), output.data(), output.size()) == 0;
}

void run_real(Model& model, const std::string& input, std::string& output) {
    const std::size_t width = model.needs().input_count;
    std::vector<float> row(width);
    std::vector<float> result(model.needs().output_count);
    for (std::size_t at = 0; at + width * 4 <= input.size(); at += width * 4) {
        std::memcpy(row.data(), input.data() + at, width * 4);
        model.invoke(row, result);
        output.append(reinterpret_cast<const char*>(result.data()), result.size() * 4);
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) {
        std::fprintf(stderr, "usage: tinyml_run MODEL double|single INPUT OUTPUT\n");
        return 2;
    }
    const std::string tflite = read(argv[1]);
    const auto file = std::as_bytes(std::span{tflite});
    stator::tinyml::Reason reason;
    const auto needs = stator::tinyml::check(file, reason);
    if (!needs) {
        std::fprintf(
            stderr, "%s: %.*s\n", argv[1], static_cast<int>(reason.size()), reason.view().data()
        );
        return 1;
    }
    std::vector<std::byte> arena(needs->arena_bytes);
    const bool single = std::string{argv[2]} == "single";
    auto model = Model::load(file, arena, reason, single ? Rounding::single : Rounding::double_);
    if (!model) return 1;
    const std::string input = read(argv[3]);
    std::string output;
    const bool raw = needs->input_type == Type::int8 && needs->output_type == Type::int8;
    if (!raw) {
        run_real(*model, input, output);
    } else if (!run_raw(*model, input, output)) {
        std::fprintf(stderr, "%s: a batch gives other bytes than its rows\n", argv[1]);
        return 1;
    }
    std::ofstream{argv[4], std::ios::binary} << output;
    return 0;
}
