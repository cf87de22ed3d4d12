#include "shared/tinyml/fixed_point.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <utility>

namespace stator::tinyml {
namespace {

constexpr double one_half_bit = 1.0 / 2147483648.0;

TEST(FixedPoint, a_multiplier_scales_like_the_real_number_to_within_a_step) {
    std::mt19937 chance{1};
    std::uniform_real_distribution<double> exponent{-20.0, 3.0};
    std::uniform_int_distribution<std::int32_t> whole{-2'000'000, 2'000'000};
    for (int i = 0; i < 20'000; ++i) {
        const double real = std::exp2(exponent(chance));
        const std::int32_t x = whole(chance);
        Multiplier by;
        ASSERT_TRUE(quantised(real, by));
        const double exact = real * x;
        const double of_significand = std::fabs(exact) * one_half_bit;  // its own rounding
        EXPECT_NEAR(scaled<Rounding::double_>(x, by), exact, 1.001 + of_significand);  // two halves
        EXPECT_NEAR(scaled<Rounding::single>(x, by), exact, 0.501 + of_significand);
    }
}

TEST(FixedPoint, scaling_twice_rounds_as_gemmlowps_two_steps_do) {
    std::mt19937 chance{11};
    constexpr auto lowest = std::numeric_limits<std::int32_t>::min();
    constexpr auto highest = std::numeric_limits<std::int32_t>::max();
    for (int i = 0; i < 2'000'000; ++i) {
        std::int32_t x = static_cast<std::int32_t>(chance()) >> chance() % 31;
        if (i % 50 == 0) x = i % 100 == 0 ? lowest : highest;
        const auto significand = static_cast<std::int32_t>((1U << 30U) + (chance() >> 2U));
        const auto shift = static_cast<std::int32_t>(chance() % 62) + shift_min;
        const int left = shift > 0 ? shift : 0;
        const int right = shift > 0 ? 0 : -shift;
        ASSERT_EQ(
            scaled<Rounding::double_>(x, significand, shift),
            rounded_shift(high_product(wrapped_shift(x, left), significand), right)
        ) << x
          << " by " << significand << ", shift " << shift;
    }
}

TEST(FixedPoint, a_quotient_of_floats_is_that_of_double_arithmetic_to_the_bit) {
    std::mt19937 chance{12};
    int largest = 0;
    for (int i = 0; i < 2'000'000; ++i) {
        const auto any = [&] {  // mostly scales, now and then any positive float
            const auto below = [&](std::uint32_t end) {
                return static_cast<std::uint32_t>(chance()) % end;
            };
            const std::uint32_t field = below(8) == 0 ? below(255) : 100 + below(40);
            std::uint32_t fraction = below(1U << 23U);
            if (chance() % 4 == 0) fraction &= 0x7F0000U;  // short ones meet exact halves
            const auto value = std::bit_cast<float>(field << 23U | fraction);
            return value == 0.0F ? 1.0F : value;
        };
        const float a = any();
        const float b = i % 3 == 0 ? 1.0F : any();
        const float divisor = any();
        const double exact =
            static_cast<double>(a) * static_cast<double>(b) / static_cast<double>(divisor);
        Multiplier ours;
        Multiplier theirs;
        const bool fits = quantised(exact, theirs);
        ASSERT_EQ(quantised_quotient(a, b, divisor, ours), fits)
            << a << " * " << b << " / " << divisor;
        if (!fits) {
            ++largest;
            continue;
        }
        ASSERT_EQ(ours.significand, theirs.significand) << a << " * " << b << " / " << divisor;
        ASSERT_EQ(ours.shift, theirs.shift) << a << " * " << b << " / " << divisor;
    }
    EXPECT_GT(largest, 1000);
    Multiplier none{1, 1};
    EXPECT_TRUE(quantised_quotient(0.0F, 1.0F, 1.0F, none));
    EXPECT_EQ(none.significand, 0);
    EXPECT_EQ(none.shift, 0);
    EXPECT_FALSE(quantised_quotient(std::numeric_limits<float>::infinity(), 1.0F, 1.0F, none));
}

// The number below `odd` whose product with `a` leaves 1 when it is divided by `odd`; 0 for none.
std::int64_t inverse(std::int64_t a, std::int64_t odd) {
    std::int64_t rest = odd;
    std::int64_t x = 1;
    std::int64_t y = 0;
    for (a %= odd; a > 1 && rest != 0;) {
        const std::int64_t times = a / rest;
        a = std::exchange(rest, a % rest);
        x = std::exchange(y, x - times * y);
    }
    return a == 1 ? (x + odd) % odd : 0;
}

TEST(FixedPoint, a_quotient_of_floats_next_to_a_half_rounds_as_doubles_do) {
    std::mt19937 chance{13};
    constexpr std::int64_t least = 1 << 23;  // of a mantissa
    constexpr float unit = 1.0F / (1 << 23);
    const auto any = [&] { return least + static_cast<std::int64_t>(chance() % least); };
    int met = 0;
    while (met < 1'000'000) {
        const std::int64_t divisor = any() | 1;
        const std::int64_t a = any();
        const std::int64_t shift = 6 + chance() % 3;
        const std::int64_t to_one = inverse(a << shift, divisor);
        if (to_one == 0) continue;
        for (std::int64_t from_half = -3; from_half <= 7; from_half += 2) {
            // so that a * b * 2^shift leaves (divisor - from_half) / 2
            std::int64_t b = (divisor - from_half) / 2 * to_one % divisor;
            if (b < least) b += divisor;
            if (b < least || b >= 2 * least) continue;
            const float factor = static_cast<float>(a) * unit;
            const float by = static_cast<float>(divisor) * unit;
            Multiplier ours;
            Multiplier theirs;
            const double exact = static_cast<double>(factor) *
                                 static_cast<double>(static_cast<float>(b)) /
                                 static_cast<double>(by);
            ASSERT_EQ(
                quantised_quotient(factor, static_cast<float>(b), by, ours),
                quantised(exact, theirs)
            );
            ASSERT_EQ(ours.significand, theirs.significand) << a << " * " << b << " / " << divisor;
            ASSERT_EQ(ours.shift, theirs.shift) << a << " * " << b << " / " << divisor;
            ++met;
        }
    }
}

TEST(FixedPoint, the_two_roundings_differ_where_a_half_is_made_by_the_first) {
    Multiplier by;
    ASSERT_TRUE(quantised(0.25 - 1e-8, by));  // x * by = 0.49999998: one rounding gives 0
    EXPECT_EQ(scaled<Rounding::single>(2, by), 0);
    EXPECT_EQ(scaled<Rounding::double_>(2, by), 1);  // first 2^-31 steps to 1/2, then up
}

TEST(FixedPoint, a_multiplier_that_is_not_finite_or_too_large_is_refused_and_a_tiny_one_is_zero) {
    Multiplier by;
    EXPECT_FALSE(quantised(std::nan(""), by));
    EXPECT_FALSE(quantised(HUGE_VAL, by));
    EXPECT_FALSE(quantised(2e9, by));
    EXPECT_TRUE(quantised(1e-12, by));
    EXPECT_EQ(scaled<Rounding::double_>(1 << 30, by), 0);
}

TEST(FixedPoint, halves_round_away_from_zero) {
    EXPECT_EQ(rounded_shift(3, 1), 2);
    EXPECT_EQ(rounded_shift(-3, 1), -2);
    EXPECT_EQ(rounded_shift(5, 2), 1);
    EXPECT_EQ(rounded_shift(-6, 2), -2);
}

// The undefined-behaviour sanitizer watches. A negative multiplier meets small numbers only.
TEST(FixedPoint, no_numbers_overflow) {
    const std::int32_t low = std::numeric_limits<std::int32_t>::min();
    const std::int32_t high = std::numeric_limits<std::int32_t>::max();
    const std::int32_t small = 1 << 16;
    for (const std::int32_t a : {low, low + 1, -small, -1, 0, 1, small, high - 1, high}) {
        for (const std::int32_t significand : {-high, -(1 << 30), 0, 1 << 30, high}) {
            if (significand < 0 && (a < -small || a > small)) continue;
            for (const std::int32_t shift : {shift_min, -1, 0, 1, shift_max}) {
                (void)scaled<Rounding::double_>(a, significand, shift);
                (void)scaled<Rounding::single>(a, significand, shift);
            }
        }
        for (const std::int32_t b : {low, -1, 0, 1 << 30, high}) {
            (void)high_product(a, b);
            (void)wrapped_sum(a, b);
        }
        for (const int bits : {0, 1, 30, 31})
            (void)rounded_shift(a, bits);
    }
}

TEST(FixedPoint, the_curves_are_those_of_the_real_numbers) {
    for (int i = -2000; i <= 2000; ++i) {
        const double x = i / 130.0;  // to 15.4, near the end of four integer bits
        const auto fixed = static_cast<std::int32_t>(std::lround(x * (1 << 27)));
        const double real = fixed / static_cast<double>(1 << 27);
        EXPECT_NEAR(fixed_logistic(fixed, 4) * one_half_bit, 1 / (1 + std::exp(-real)), 1e-6) << x;
        EXPECT_NEAR(fixed_tanh(fixed, 4) * one_half_bit, std::tanh(real), 1e-6) << x;
        if (fixed > 0) continue;
        EXPECT_NEAR(fixed_exp_of_negative(fixed, 4) * one_half_bit, std::exp(real), 1e-6) << x;
    }
}

}  // namespace
}  // namespace stator::tinyml
