// exp, logistic and tanh, from our own code: a platform's libm may differ in the last bit.
#pragma once

namespace stator::tinyml {

[[nodiscard]] double real_exp(double x);  // error below 2 ulp; 0 below -745, infinity above 709
[[nodiscard]] double real_logistic(double x);
[[nodiscard]] double real_tanh(double x);

// In floats alone, for microcontrollers, whose doubles are dear: within 2^-22 of itself.
[[nodiscard]] float float_logistic(float x);

}  // namespace stator::tinyml
