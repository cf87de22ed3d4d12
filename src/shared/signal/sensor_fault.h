// SensorFault says from a raw frame whether the sensor, not the machine, is what is wrong.
#pragma once

#include "shared/asset/asset.h"

#include <cstdint>
#include <span>

namespace stator::signal {

enum class SensorFault : std::uint8_t {
    none,
    stuck,         // a waveform that does not move, not even by noise
    saturated,     // at either end of the converter's range for a tenth of the frame
    disconnected,  // an input that floats to a rail for the whole frame
    noisy,         // a slow channel whose samples jump over a quarter of the range
};

inline constexpr std::uint16_t adc_counts_max = 4095;  // 12 bit

// `counts_max`: the converter's largest count.
[[nodiscard]] SensorFault sensor_fault(
    asset::Sampling sampling,
    std::span<const std::uint16_t> counts,
    std::uint16_t counts_max = adc_counts_max
);

}  // namespace stator::signal
