#include "shared/tinyml/real_math.h"

#include <cmath>
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
