#include "shared/tinyml/fixed_point.h"

#include "shared/tinyml/flatbuffer.h"

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

constexpr std::uint32_t infinite = 0x7F800000U;
constexpr int exponent_max = 1000;  // beyond all of floats

// A positive, finite float's bits as mantissa * 2^(exponent - 150), the mantissa in [2^23, 2^24).
struct Parts {
    [[gnu::always_inline]] explicit Parts(std::uint32_t bits)
        : mantissa{(bits & 0x7FFFFFU) | 0x800000U}, exponent{static_cast<int>(bits >> 23U)} {
        if (exponent != 0) return;
        const int missing = std::countl_zero(bits) - 8;  // subnormal
        mantissa = bits << static_cast<unsigned>(missing);
        exponent = 1 - missing;
    }

    std::uint32_t mantissa;
    int exponent;
};

}  // namespace

Ratio::Ratio(float a, float divisor) {
    const auto bits = std::bit_cast<std::uint32_t>(a);
    if (bits == 0 || bits >= infinite) {  // of no or of too large a product
        exponent_ = bits == 0 ? -exponent_max : exponent_max;
        return;
    }
    const Parts of_a{bits};
    const Parts by{std::bit_cast<std::uint32_t>(divisor)};
    const std::uint32_t doubled = of_a.mantissa < by.mantissa ? 1 : 0;
    mantissa_ = of_a.mantissa << doubled;
    divisor_ = by.mantissa;
    exponent_ = of_a.exponent - by.exponent - static_cast<int>(doubled) - (150 - 24);
    // mantissa / divisor lies in [1, 2): long division of what is above 1, a byte at a time
    std::uint32_t rest = mantissa_ - divisor_;
    std::uint32_t above = 0;
    for (int i = 0; i < 4; ++i) {
        rest <<= 8U;
        const std::uint32_t digit = rest / divisor_;
        above = above << 8U | digit;
        rest -= digit * divisor_;
    }
    quotient_ = 1U << 31U | above >> 1U;
}

std::uint32_t Ratio::times(const std::byte* factors, std::uint32_t count, std::byte* multipliers)
    const {
    // Let x = mantissa * by.mantissa / divisor, in [2^23, 2^25). The significand is x * 2^7, or
    // x * 2^6 from 2^24 on, rounded. The quotient, cut off at 31 bits, times by.mantissa is less
    // than x * 2^31 by less than 2^24: cut off in turn, the significand's whole part or one less.
    for (std::uint32_t i = 0; i < count; ++i) {
        const Parts by{load<std::uint32_t>(factors + std::size_t{4} * i)};
        const std::uint64_t product = std::uint64_t{mantissa_} * by.mantissa;
        const unsigned large = product >= std::uint64_t{divisor_} << 24U ? 1 : 0;
        auto significand =
            static_cast<std::uint32_t>(std::uint64_t{quotient_} * by.mantissa >> 24U) >> large;
        // What is left of it, in [0, 2 * divisor), tells in 32 bits.
        const std::uint32_t rest =
            (static_cast<std::uint32_t>(product) << (7U - large)) - significand * divisor_;
        // Doubles round first, to 22 bits behind the point: so what lies 2^-23 or less below a half
        // goes up as a half does. rest / divisor >= 1/2 - 2^-23, in whole numbers:
        const std::uint32_t twice = 2 * rest + (divisor_ >> 22U);
        if (twice >= divisor_) ++significand;
        if (twice >= 3 * divisor_) ++significand;
        int shift = exponent_ + by.exponent + static_cast<int>(large);
        if (significand == 1U << 31U) {
            significand >>= 1U;
            ++shift;
        }
        if (shift > shift_max) return i;
        if (shift < shift_min) {
            significand = 0;
            shift = 0;
        }
        if (multipliers == nullptr) continue;
        std::memcpy(multipliers + std::size_t{4} * i, &significand, 4);
        multipliers[std::size_t{4} * count + i] = static_cast<std::byte>(shift);
    }
    return count;
}

bool quantised_quotient(float a, float b, float divisor, Multiplier& out) {
    std::array<std::byte, 8> made;
    std::memcpy(made.data(), &b, 4);
    if (Ratio{a, divisor}.times(made.data(), 1, made.data()) == 0) return false;
    out = {load<std::int32_t>(made.data()), static_cast<std::int8_t>(made[4])};
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
