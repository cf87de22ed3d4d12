// Fixed-point arithmetic of int8 networks: a real multiplier as 31 bits and a shift, in the two
// roundings that exist in the field.
//
//   double_  gemmlowp's: a rounding high multiplication, then a rounding shift (TFLM)
//   single   one rounding of the exact product (LiteRT's reference and XNNPACK kernels)
//
// Sums wrap instead of overflowing: a hostile file can ask for any bias.
#pragma once

#include "shared/tinyml/model.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace stator::tinyml {

[[nodiscard]] constexpr std::int32_t wrapped_sum(std::int32_t a, std::int32_t b) {
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b));
}

[[nodiscard]] constexpr std::int32_t wrapped_shift(std::int32_t a, int bits) {
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) << static_cast<unsigned>(bits));
}

// a * b / 2^31, rounded to nearest (gemmlowp SaturatingRoundingDoublingHighMul).
[[nodiscard]] constexpr std::int32_t high_product(std::int32_t a, std::int32_t b) {
    constexpr auto lowest = std::numeric_limits<std::int32_t>::min();
    if (a == lowest && b == lowest) return std::numeric_limits<std::int32_t>::max();
    // gemmlowp adds 2^30, or 1 - 2^30 below zero, and divides: the same number
    const std::int64_t product = std::int64_t{a} * std::int64_t{b};
    return static_cast<std::int32_t>((product + (std::int64_t{1} << 30)) >> 31);
}

// x / 2^bits, rounded to nearest, halves away from zero (gemmlowp RoundingDivideByPOT).
[[nodiscard]] constexpr std::int32_t rounded_shift(std::int32_t x, int bits) {
    const auto mask = static_cast<std::int32_t>((std::uint32_t{1} << bits) - 1U);
    const std::int32_t remainder = x & mask;
    const std::int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
    return (x >> bits) + (remainder > threshold ? 1 : 0);
}

struct Multiplier {
    std::int32_t significand = 0;  // in [2^30, 2^31), or 0; its sign is the multiplier's
    std::int32_t shift = 0;        // the multiplier is significand * 2^(shift - 31)
};

inline constexpr std::int32_t shift_min = -31;
inline constexpr std::int32_t shift_max = 30;

// False when the multiplier is not a finite number below 2^30.
[[nodiscard]] bool quantised(double multiplier, Multiplier& out);

// a / divisor, by which many numbers are multiplied: none of them costs a division.
class Ratio {
  public:
    // `a` is not negative, `divisor` positive and finite.
    Ratio(float a, float divisor);

    // The multipliers a * factor / divisor of `count` floats as double arithmetic gives them, to
    // the bit, reckoned in integers: microcontrollers have no doubles. Factors are positive and
    // finite. Writes the significands, then the shifts in a byte each (unless there is no place for
    // them), and returns how many fit: all, or those before the first that is not below 2^30.
    [[nodiscard]] std::uint32_t times(
        const std::byte* factors, std::uint32_t count, std::byte* multipliers
    ) const;

  private:
    std::uint32_t mantissa_ = 0;  // a's, doubled where the divisor's is larger
    std::uint32_t divisor_ = 0;   // its mantissa
    std::uint32_t quotient_ = 0;  // of the two, times 2^31, cut off
    int exponent_ = 0;            // what a factor's biased exponent lacks to be the shift
};

// One multiplier in the same way.
[[nodiscard]] bool quantised_quotient(float a, float b, float divisor, Multiplier& out);

// high_product() by a significand, which never meets its special case.
[[nodiscard]] constexpr std::int32_t high_scaled(std::int32_t x, std::int32_t significand) {
#if defined(__thumb2__)
    if (!std::is_constant_evaluated()) {  // the shift leaves the rounding bit in the carry
        std::int32_t low;
        std::int32_t high;
        asm("smull %0, %1, %2, %3\n\tlsrs %0, %0, #31\n\tadc %0, %0, %1, lsl #1"
            : "=&r"(low), "=&r"(high)
            : "r"(x), "r"(significand)
            : "cc");
        return low;
    }
#endif
    const std::int64_t product = std::int64_t{x} * significand;
    return static_cast<std::int32_t>((product + (std::int64_t{1} << 30)) >> 31);
}

template <Rounding rounding>
[[nodiscard]] constexpr std::int32_t scaled(
    std::int32_t x, std::int32_t significand, std::int32_t shift
) {
    if constexpr (rounding == Rounding::double_) {
        if (shift >= 0) [[unlikely]]
            return high_scaled(wrapped_shift(x, shift), significand);
        // rounded_shift(high, -shift) in fewer steps: high is neither end of its range (a negative
        // significand meets small numbers only), so a half below zero can be moved away first
        const std::int32_t high = high_scaled(x, significand);
        return (((high + (high >> 31)) >> (-shift - 1)) + 1) >> 1;
    } else {
        const int total = 31 - shift;
        const std::int64_t half = std::int64_t{1} << (total - 1);
        return static_cast<std::int32_t>((x * std::int64_t{significand} + half) >> total);
    }
}

template <Rounding rounding>
[[nodiscard]] constexpr std::int32_t scaled(std::int32_t x, const Multiplier& by) {
    return scaled<rounding>(x, by.significand, by.shift);
}

[[nodiscard]] constexpr std::int8_t clamped(
    std::int32_t value, std::int32_t low = -128, std::int32_t high = 127
) {
    return static_cast<std::int8_t>(std::min(std::max(value, low), high));
}

// Functions of a number with `integer_bits` bits before the point and 31 - integer_bits behind;
// results have none before it (1 is 2^31 - 1). The polynomial and the three Newton steps are
// gemmlowp's (fixedpoint.h), because TFLM's bits are these.
[[nodiscard]] std::int32_t fixed_exp_of_negative(std::int32_t x, int integer_bits);
[[nodiscard]] std::int32_t fixed_logistic(std::int32_t x, int integer_bits);
[[nodiscard]] std::int32_t fixed_tanh(std::int32_t x, int integer_bits);
[[nodiscard]] std::int32_t fixed_one_over_one_plus(std::int32_t x);  // x in [0, 1]

}  // namespace stator::tinyml
