// Rows are a model's inputs and outputs as people and scripts have them: a line a row, comma apart.
#pragma once

#include "world/outcome/outcome.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stator::inference {

// `text`: lines of `width` numbers; empty lines are passed over. The values lie row behind row. A
// fault names `file` and the line: fewer or more numbers, no number, not finite, or (of steps) none
// of -128 to 127.
[[nodiscard]] Outcome<std::vector<float>> read_values(
    std::string_view text, std::size_t width, const std::string& file
);
[[nodiscard]] Outcome<std::vector<std::int8_t>> read_steps(
    std::string_view text, std::size_t width, const std::string& file
);

// Reads back as the same floats.
template <typename Number>
void write_row(std::string& text, const std::vector<Number>& row) {
    text += fmt::format("{}\n", fmt::join(row, ","));
}

}  // namespace stator::inference
