#include "shared/tinyml/real_math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace stator::tinyml {
namespace {

TEST(RealMath, exp_is_within_two_ulp_of_the_platforms) {
    for (int i = -70'000; i <= 70'000; ++i) {
        const double x = i / 100.03;
        const double exact = std::exp(x);
        EXPECT_NEAR(real_exp(x) / exact, 1.0, 5e-16) << x;
    }
}

TEST(RealMath, exp_ends_in_nothing_and_in_infinity) {
    EXPECT_EQ(real_exp(0.0), 1.0);
    EXPECT_EQ(real_exp(-1e9), 0.0);
    EXPECT_EQ(real_exp(1e9), std::numeric_limits<double>::infinity());
    EXPECT_TRUE(std::isnan(real_exp(std::nan(""))));
}

TEST(RealMath, logistic_and_tanh_are_the_platforms_to_within_a_few_ulp) {
    for (int i = -5000; i <= 5000; ++i) {
        const double x = i / 123.0;
        EXPECT_NEAR(real_logistic(x), 1.0 / (1.0 + std::exp(-x)), 4e-16) << x;
        EXPECT_NEAR(real_tanh(x), std::tanh(x), 1e-15) << x;
    }
    EXPECT_EQ(real_logistic(0.0), 0.5);
    EXPECT_EQ(real_tanh(0.0), 0.0);
}

TEST(RealMath, the_logistic_of_floats_is_the_real_one_to_within_four_ulp) {
    for (int i = -140'000; i <= 40'000; ++i) {
        const auto x = static_cast<float>(i) / 1350.3F;
        const double exact = 1.0 / (1.0 + std::exp(-static_cast<double>(x)));
        const double least = std::numeric_limits<float>::denorm_min();
        EXPECT_NEAR(static_cast<double>(float_logistic(x)), exact, exact * 2.4e-7 + least) << x;
    }
    EXPECT_EQ(float_logistic(0.0F), 0.5F);
    EXPECT_EQ(float_logistic(-1e30F), 0.0F);
    EXPECT_EQ(float_logistic(1e30F), 1.0F);
    EXPECT_TRUE(std::isnan(float_logistic(std::nanf(""))));
}

}  // namespace
}  // namespace stator::tinyml
