#include "shared/tinyml/fixed_point.h"

#include <array>
#include <bit>
#include <cmath>

namespace stator::tinyml {

namespace {

constexpr std::int32_t one = std::numeric_limits<std::int32_t>::max();  // with no integer bits

// x * 2^bits, held at the ends of the range.
constexpr std::int32_t saturating_shift(std::int32_t x, int bits) {
    const std::int64_t wide = std::int64_t{x} * (std::int64_t{1} << bits);
    if (wide > std::numeric_limits<std::int32_t>::max()) {
        return std::numeric_limits<std::int32_t>::max();
    }
    if (wide < std::numeric_limits<std::int32_t>::min()) {
        return std::numeric_limits<std::int32_t>::min();
    }
    return static_cast<std::int32_t>(wide);
}

// exp(x) for x in [-1/4, 0): Taylor's series around -1/8.
std::int32_t exp_near_zero(std::int32_t a) {
    constexpr std::int32_t exp_of_minus_eighth = 1895147668;
    constexpr std::int32_t third = 715827883;
    const std::int32_t x = wrapped_sum(a, 1 << 28);
    const std::int32_t x2 = high_product(x, x);
    const std::int32_t x3 = high_product(x2, x);
    const std::int32_t x4 = high_product(x2, x2);
    const std::int32_t cubic = high_product(wrapped_sum(rounded_shift(x4, 2), x3), third);
    const std::int32_t rest = rounded_shift(wrapped_sum(cubic, x2), 1);
    return wrapped_sum(
        exp_of_minus_eighth, high_product(exp_of_minus_eighth, wrapped_sum(x, rest))
    );
}

// 2 / (1 + x) for x in [0, 1], with two integer bits: Newton-Raphson from 48/17 - 32/17 d.
std::int32_t reciprocal_of_half_denominator(std::int32_t x) {
    constexpr std::int32_t first = 1515870810;   // 48/17
    constexpr std::int32_t slope = -1010580540;  // -32/17
    constexpr std::int32_t one_with_two = 1 << 29;
    const std::int64_t sum = std::int64_t{x} + one;
    const auto half = static_cast<std::int32_t>((sum + (sum >= 0 ? 1 : -1)) / 2);
    std::int32_t y = wrapped_sum(first, high_product(half, slope));
    for (int i = 0; i < 3; ++i) {
        const std::int32_t error = wrapped_sum(one_with_two, -high_product(half, y));
        y = wrapped_sum(y, saturating_shift(high_product(y, error), 2));
    }
    return y;
}

}  // namespace

bool quantised(double multiplier, Multiplier& out) {
    if (!std::isfinite(multiplier)) return false;
    out = {};
    if (multiplier == 0.0) return true;
    int shift = 0;
    const double fraction = std::frexp(multiplier, &shift);
    auto significand = static_cast<std::int64_t>(std::round(fraction * 2147483648.0));
    if (significand == (std::int64_t{1} << 31) || significand == -(std::int64_t{1} << 31)) {
        significand /= 2;
        ++shift;
    }
    if (shift < shift_min) return true;  // so small that every product rounds to nothing
    if (shift > shift_max) return false;
    out = {static_cast<std::int32_t>(significand), shift};
    return true;
}

namespace {

// A positive, finite float's bits as mantissa * 2^exponent, the mantissa in [2^23, 2^24).
struct Parts {
    std::uint32_t mantissa = 0;
    int exponent = 0;
};

Parts parts_of(std::uint32_t bits) {
    const auto field = static_cast<int>(bits >> 23U);
    const std::uint32_t fraction = bits & 0x7FFFFFU;
    if (field != 0) return {fraction | 0x800000U, field - 150};
    const int missing = std::countl_zero(fraction) - 8;  // subnormal
    return {fraction << static_cast<unsigned>(missing), -149 - missing};
}

struct Division {
    std::uint32_t rest;
    std::uint32_t by;
    std::uint32_t quotient = 0;  // its last 32 bits

    [[gnu::always_inline]] void step(unsigned bits, std::uint32_t next) {
        rest = rest << bits | next;
        const std::uint32_t digit = rest / by;
        quotient = quotient << bits | digit;
        rest -= digit * by;
    }
};

}  // namespace

bool quantised_quotient(float a, float b, float divisor, Multiplier& out) {
    const auto bits_of_a = std::bit_cast<std::uint32_t>(a);
    const auto bits_of_b = std::bit_cast<std::uint32_t>(b);
    constexpr std::uint32_t infinite = 0x7F800000U;
    out = {};
    if (bits_of_a == 0 || bits_of_b == 0) return true;
    if (bits_of_a >= infinite || bits_of_b >= infinite) return false;
    const Parts by = parts_of(std::bit_cast<std::uint32_t>(divisor));
    const Parts of_a = parts_of(bits_of_a);
    const Parts of_b = parts_of(bits_of_b);
    const std::uint64_t product = std::uint64_t{of_a.mantissa} * of_b.mantissa;
    // long division, a byte at a time: 23 to 25 bits, then 32 behind the point
    const auto low = static_cast<std::uint32_t>(product) & 0xFFFFFFU;
    Division division{static_cast<std::uint32_t>(product >> 24U), by.mantissa};
    division.step(0, 0);
    for (const unsigned bits : {16U, 8U, 0U})
        division.step(8, low >> bits & 255U);
    const std::uint32_t whole = division.quotient;
    for (int i = 0; i < 4; ++i)
        division.step(8, 0);
    const int few = std::countl_zero(whole) - 7;  // bits that 25 are more than it has
    const std::uint64_t quotient = (std::uint64_t{whole} << 32U | division.quotient)
                                   << static_cast<unsigned>(few);
    // a double's 53 bits, to nearest, halves to even
    const auto below = static_cast<std::uint32_t>(quotient) & 15U;
    std::uint64_t rounded = quotient >> 4U;
    const bool odd = (rounded & 1U) != 0;
    if (below > 8 || (below == 8 && (division.rest != 0 || odd))) ++rounded;
    // then 31 of those, halves up
    auto significand = static_cast<std::uint32_t>((rounded + (1U << 21U)) >> 22U);
    int shift = 25 - few + of_a.exponent + of_b.exponent - by.exponent;
    if (significand == 1U << 31U) {
        significand >>= 1U;
        ++shift;
    }
    if (shift < shift_min) return true;
    if (shift > shift_max) return false;
    out = {static_cast<std::int32_t>(significand), shift};
    return true;
}

std::int32_t fixed_exp_of_negative(std::int32_t x, int integer_bits) {
    struct Factor {
        int exponent;
        std::int32_t value;  // exp(-2^exponent)
    };

    constexpr std::array<Factor, 7> factors{{
        {-2, 1672461947},
        {-1, 1302514674},
        {0, 790015084},
        {1, 290630308},
        {2, 39332535},
        {3, 720401},
        {4, 242},
    }};
    if (x == 0) return one;
    const int fraction_bits = 31 - integer_bits;
    if (integer_bits > 5 && x < -(1 << (36 - integer_bits))) return 0;  // below -32
    const std::int32_t quarter = 1 << (fraction_bits - 2);
    const std::int32_t part = (x & (quarter - 1)) - quarter;
    const auto rest = static_cast<std::uint32_t>(part) - static_cast<std::uint32_t>(x);
    std::int32_t result = exp_near_zero(saturating_shift(part, integer_bits));
    for (const Factor& factor : factors) {
        if (integer_bits <= factor.exponent) break;
        const auto bit = static_cast<unsigned>(fraction_bits + factor.exponent);
        if ((rest >> bit & 1U) != 0) result = high_product(result, factor.value);
    }
    return result;
}

std::int32_t fixed_one_over_one_plus(std::int32_t x) {
    return saturating_shift(reciprocal_of_half_denominator(x), 1);
}

std::int32_t fixed_logistic(std::int32_t x, int integer_bits) {
    if (x == 0) return 1 << 30;
    const std::int32_t negative = x > 0 ? -x : x;
    const std::int32_t up = fixed_one_over_one_plus(fixed_exp_of_negative(negative, integer_bits));
    return x > 0 ? up : one - up;
}

std::int32_t fixed_tanh(std::int32_t x, int integer_bits) {
    if (x == 0) return 0;
    const std::int32_t negative = x > 0 ? -x : x;
    // the same bits read with one integer bit more are twice the number
    const std::int32_t power = fixed_exp_of_negative(negative, integer_bits + 1);
    const std::int32_t y = wrapped_sum(reciprocal_of_half_denominator(power), -(1 << 29));
    const std::int32_t size = saturating_shift(y, 2);
    return x > 0 ? size : -size;
}

}  // namespace stator::tinyml
