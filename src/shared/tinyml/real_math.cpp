#include "shared/tinyml/real_math.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace stator::tinyml {

namespace {

// exp(r) - 1 for |r| <= ln 2 / 2: Taylor's series, whose 14th term is below 2^-53 there.
double small_expm1(double r) {
    double sum = 0.0;
    for (int n = 14; n >= 1; --n) {
        sum = (sum + 1.0) * r / n;
    }
    return sum;
}

float power_of_two(int n) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(n + 127) << 23U);
}

// exp(x) for x that is not above zero.
float float_exp(float x) {
    if (x < -104.0F) return 0.0F;
    constexpr float ln2_high = 0.693359375F;  // of so few bits that k * ln2_high is exact
    constexpr float ln2_low = -2.12194440e-4F;
    const int k = static_cast<int>(x * 1.44269504F - 0.5F);
    const auto real = static_cast<float>(k);
    const float r = (x - real * ln2_high) - real * ln2_low;
    float sum = 0.0F;  // Taylor's series: its 8th term is below 2^-27
    for (int n = 7; n >= 1; --n)
        sum = (sum + 1.0F) * r / static_cast<float>(n);
    // in two steps, for the power may be below all floats of full precision
    return (1.0F + sum) * power_of_two(k / 2) * power_of_two(k - k / 2);
}

}  // namespace

double real_exp(double x) {
    if (std::isnan(x)) return x;
    if (x > 709.7) return std::numeric_limits<double>::infinity();
    if (x < -745.0) return 0.0;
    // ln 2 in two parts, so that x - k ln 2 loses no bits
    constexpr double ln2_high = 6.93147180369123816490e-01;
    constexpr double ln2_low = 1.90821492927058770002e-10;
    const double k = std::floor(x * 1.44269504088896340736 + 0.5);
    const double r = (x - k * ln2_high) - k * ln2_low;
    return std::ldexp(1.0 + small_expm1(r), static_cast<int>(k));
}

float float_logistic(float x) {
    if (std::isnan(x)) return x;
    const float e = float_exp(-std::fabs(x));
    return (x < 0 ? e : 1.0F) / (1.0F + e);
}

double real_logistic(double x) {
    if (x >= 0) return 1.0 / (1.0 + real_exp(-x));
    const double e = real_exp(x);
    return e / (1.0 + e);
}

double real_tanh(double x) {
    if (std::fabs(x) < 0.17) {  // where 1 - exp(-2x) would lose bits
        const double e = small_expm1(2.0 * x);
        return e / (e + 2.0);
    }
    const double e = real_exp(-2.0 * std::fabs(x));
    const double size = (1.0 - e) / (1.0 + e);
    return x < 0 ? -size : size;
}

}  // namespace stator::tinyml
