// Real values as int8 steps of a scale, and back (TFLM reference/quantize.h, dequantize.h).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace stator::tinyml {

// To the nearest, halves away from zero; of numbers that fit.
[[nodiscard]] inline std::int32_t nearest(float value) {
    const auto whole = static_cast<std::int32_t>(value);
    const float rest = value - static_cast<float>(whole);  // exact
    return whole + (rest >= 0.5F ? 1 : 0) - (rest <= -0.5F ? 1 : 0);
}

// Halves round away from zero; what lies outside sticks to the end; not-a-number is the zero point.
[[nodiscard]] inline std::int8_t step_of(float value, float scale, std::int32_t zero) {
    const float steps = value / scale;
    if (std::isnan(steps)) return static_cast<std::int8_t>(zero);
    const float held = std::min(std::max(steps, -1024.0F), 1024.0F);  // fits an int, clamps later
    const std::int32_t step = nearest(held) + zero;
    return static_cast<std::int8_t>(std::min<std::int32_t>(std::max<std::int32_t>(step, -128), 127)
    );
}

[[nodiscard]] inline float real_of(std::int8_t step, float scale, std::int32_t zero) {
    return scale * static_cast<float>(step - zero);
}

}  // namespace stator::tinyml
