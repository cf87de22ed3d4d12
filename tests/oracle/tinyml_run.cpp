// tinyml_run MODEL double|single INPUT OUTPUT: runs a .tflite file over rows of raw numbers.
//
// INPUT and OUTPUT hold rows one behind the other in the model's own types: int8, or float32 in the
// machine's byte order. Rows run one by one, and then as one batch: other bytes are an error.
#include "shared/tinyml/batch.h"

#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <span>
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

void run(Model& model, std::span<const std::int8_t> row, std::span<std::int8_t> result) {
    model.invoke_raw(row, result);
}

void run(Model& model, std::span<const float> row, std::span<float> result) {
    model.invoke(row, result);
}

void run(Batch& batch, std::span<const std::int8_t> rows, std::span<std::int8_t> results) {
    batch.invoke_raw(rows, results);
}

void run(Batch& batch, std::span<const float> rows, std::span<float> results) {
    batch.invoke(rows, results);
}

// Each row by the model alone, each by a batch of one, and all as one batch: false when the bytes
// are not the same.
template <typename Number>
bool run_all(Model& model, const std::string& input, std::string& output) {
    const std::size_t width = model.needs().input_count;
    const std::size_t height = model.needs().output_count;
    const std::size_t count = input.size() / (width * sizeof(Number));
    std::vector<Number> rows(count * width);
    std::vector<Number> results(count * height);
    std::vector<Number> alone(results.size());
    std::vector<Number> together(results.size());
    if (!rows.empty()) std::memcpy(rows.data(), input.data(), rows.size() * sizeof(Number));
    std::vector<std::byte> room(Batch::room_bytes(model));
    Batch batch{model, room};
    for (std::size_t i = 0; i < count; ++i) {
        const std::span<const Number> row = std::span{rows}.subspan(i * width, width);
        run(model, row, std::span{results}.subspan(i * height, height));
        run(batch, row, std::span{alone}.subspan(i * height, height));
    }
    run(batch, std::span<const Number>{rows}, std::span{together});
    output.assign(reinterpret_cast<const char*>(results.data()), results.size() * sizeof(Number));
    const auto same = [&](const std::vector<Number>& other) {
        return std::memcmp(other.data(), output.data(), output.size()) == 0;
    };
    return results.empty() || (same(alone) && same(together));
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
    const bool same =
        raw ? run_all<std::int8_t>(*model, input, output) : run_all<float>(*model, input, output);
    if (!same) {
        std::fprintf(stderr, "%s: a batch gives other bytes than its rows\n", argv[1]);
        return 1;
    }
    std::ofstream{argv[4], std::ios::binary} << output;
    return 0;
}
