// Our own elementary functions: the same bits from every compiler, libm and chip.
//
// Plain double arithmetic in a fixed order (no contraction, see CMakeLists.txt). Stated errors are
// against the exact value. std::sqrt is exact by IEEE 754 and is used as it is. All are constexpr.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>
#include <numbers>

namespace stator::base {

namespace math_detail {

constexpr double nearest(double x) {              // |x| < 2^51
    constexpr double magic = 6755399441055744.0;  // 1.5 * 2^52
    const double shifted = x + magic;
    return shifted - magic;
}

// Taylor on |r| <= pi/4: the first term left out is below 2^-56.
constexpr double sine_core(double r) {
    const double s = r * r;
    double sum = 0.0;
    for (int n = 17; n >= 3; n -= 2)
        sum = (1.0 + sum) * (-s / (static_cast<double>(n) * (n - 1)));
    return r + r * sum;
}

constexpr double cosine_core(double r) {
    const double s = r * r;
    double sum = 0.0;
    for (int n = 18; n >= 2; n -= 2)
        sum = (1.0 + sum) * (-s / (static_cast<double>(n) * (n - 1)));
    return 1.0 + sum;
}

constexpr double power_of_two(int k) {  // -1022 <= k <= 1023
    return std::bit_cast<double>(static_cast<std::uint64_t>(k + 1023) << 52U);
}

}  // namespace math_detail

// Absolute error below 1e-15 + 4e-17 |x|; |x| < 1e9.
constexpr double sine(double x) {
    using namespace math_detail;
    constexpr double half_pi_high = 1.57079632673412561417e+00;
    constexpr double half_pi_low = 6.07710050650619224932e-11;
    const double k = nearest(x * (2.0 / std::numbers::pi));
    const double r = (x - k * half_pi_high) - k * half_pi_low;
    switch (static_cast<std::int64_t>(k) & 3) {
        case 0:
            return sine_core(r);
        case 1:
            return cosine_core(r);
        case 2:
            return -sine_core(r);
        default:
            return -cosine_core(r);
    }
}

constexpr double cosine(double x) {
    return sine(x + std::numbers::pi / 2.0);
}

// Relative error below 4e-16; 0 below -708, infinity above 709.
constexpr double exponential(double x) {
    using namespace math_detail;
    if (x != x) return x;
    if (x > 709.0) return std::numeric_limits<double>::infinity();
    if (x < -708.0) return 0.0;
    constexpr double ln2_high = 6.93147180369123816490e-01;
    constexpr double ln2_low = 1.90821492927058770002e-10;
    const double k = nearest(x * std::numbers::log2e);
    const double r = (x - k * ln2_high) - k * ln2_low;
    double sum = 0.0;
    for (int n = 14; n >= 1; --n)
        sum = (sum + 1.0) * r / n;
    return (1.0 + sum) * power_of_two(static_cast<int>(k));
}

// Natural logarithm of a normal positive number; absolute error below 1e-15 (1 + |ln x|).
constexpr double logarithm(double x) {
    if (!(x > 0.0)) return -std::numeric_limits<double>::infinity();
    const auto bits = std::bit_cast<std::uint64_t>(x);
    int k = static_cast<int>(bits >> 52U) - 1023;
    double m = std::bit_cast<double>((bits & 0x000FFFFFFFFFFFFFU) | 0x3FF0000000000000U);
    if (m > std::numbers::sqrt2) {
        m *= 0.5;
        ++k;
    }
    // ln m = 2 artanh((m - 1) / (m + 1))
    const double t = (m - 1.0) / (m + 1.0);
    const double s = t * t;
    double sum = 0.0;
    for (int n = 25; n >= 3; n -= 2)
        sum = (sum + 1.0 / n) * s;
    return k * std::numbers::ln2 + 2.0 * (t + t * sum);
}

}  // namespace stator::base
