// Decimal numbers to binary and back: no heap, no locale, the same bits on every machine.
//
// to_double() is correctly rounded for up to 19 significant digits (further ones are cut).
// write_float() gives the shortest of 6 to 9 digits that reads back as the same float.
#pragma once

#include "shared/base/result.h"

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace stator::wire {

// `text` must be a number after RFC 8259. Fault::bad_input when it does not fit a double.
[[nodiscard]] base::Result<double> to_double(std::string_view text);

// Only whole numbers without fraction and exponent. Fault::bad_input when it does not fit.
[[nodiscard]] base::Result<std::int64_t> to_integer(std::string_view text);

inline constexpr std::size_t number_chars_max = 24;

// The characters written. A value that is not finite is written as null.
[[nodiscard]] std::string_view write_float(float value, std::span<char, number_chars_max> into);
[[nodiscard]] std::string_view write_integer(
    std::int64_t value, std::span<char, number_chars_max> into
);

}  // namespace stator::wire
