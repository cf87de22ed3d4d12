#include "shared/base/math.h"

#include <gtest/gtest.h>

#include <cmath>

namespace stator::base {
namespace {

TEST(Math, SineAndCosineStayWithinTheirStatedError) {
    for (int i = -200'000; i <= 200'000; ++i) {
        const double x = i * 0.0137;
        const double bound = 1e-15 + 4e-17 * std::abs(x) + 3e-16;
        ASSERT_NEAR(sine(x), std::sin(x), bound) << x;
        ASSERT_NEAR(cosine(x), std::cos(x), bound + 3e-16 * std::abs(x)) << x;
    }
}

TEST(Math, TheExponentialStaysWithinItsStatedError) {
    for (int i = -70'000; i <= 70'000; ++i) {
        const double x = i * 0.01;
        const double exact = std::exp(x);
        ASSERT_NEAR(exponential(x), exact, 1e-15 * exact) << x;
    }
    EXPECT_EQ(exponential(-800.0), 0.0);
    EXPECT_TRUE(std::isinf(exponential(800.0)));
    EXPECT_TRUE(std::isnan(exponential(std::nan(""))));
}

TEST(Math, TheLogarithmStaysWithinItsStatedError) {
    for (double x = 1e-300; x < 1e300; x *= 1.37) {
        const double exact = std::log(x);
        ASSERT_NEAR(logarithm(x), exact, 1e-15 * (1.0 + std::abs(exact))) << x;
    }
    EXPECT_TRUE(std::isinf(logarithm(0.0)));
}

TEST(Math, IsKnownAtCompileTime) {
    static_assert(sine(0.0) == 0.0);
    static_assert(exponential(0.0) == 1.0);
    static_assert(logarithm(1.0) == 0.0);
}

}  // namespace
}  // namespace stator::base
