// Whatever stands in a file of rows: it is whole rows of numbers, or the fault names file and line.
#include "app/inference/rows.h"

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace {

using namespace stator;

template <typename Number>
void check(
    const Outcome<std::vector<Number>>& values,
    std::size_t width,
    Outcome<std::vector<Number>> (*read)(std::string_view, std::size_t, const std::string&)
) {
    if (!values) {
        if (!values.error().what.starts_with("in.csv:")) std::abort();
        return;
    }
    if (values->size() % width != 0) std::abort();
    std::string text;
    for (std::size_t at = 0; at < values->size(); at += width) {
        const auto* row = values->data() + at;
        inference::write_row(text, std::vector<Number>(row, row + width));
    }
    const auto again = read(text, width, "out.csv");
    if (!again || again->size() != values->size()) std::abort();
    if (!values->empty() &&
        std::memcmp(again->data(), values->data(), values->size() * sizeof(Number)) != 0)
        std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    const std::size_t width = 1 + data[0] % 8;
    const std::string_view text{reinterpret_cast<const char*>(data) + 1, size - 1};
    const auto values = inference::read_values(text, width, "in.csv");
    check(values, width, inference::read_values);
    if (values)
        for (const float value : *values)
            if (!std::isfinite(value)) std::abort();
    check(inference::read_steps(text, width, "in.csv"), width, inference::read_steps);
    return 0;
}
