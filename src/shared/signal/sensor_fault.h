// SensorFault says from a raw frame whether the sensor, not the machine, is what is wrong.
//
// One frame cannot tell a slow sensor that is stuck from a value that rests: Stillness watches it
// from frame to frame.
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
    noisy,         // samples that jump over a quarter of the range: one of a slow channel, every
                   // eighth of a waveform, which no vibration below 1 kHz does at full scale
};

inline constexpr std::uint16_t adc_counts_max = 4095;  // 12 bit

// `counts_max`: the converter's largest count.
[[nodiscard]] SensorFault sensor_fault(
    asset::Sampling sampling,
    std::span<const std::uint16_t> counts,
    std::uint16_t counts_max = adc_counts_max
);

class Stillness {
  public:
    // For how long every sample has been one and the same count, this frame included.
    [[nodiscard]] std::int64_t after(std::span<const std::uint16_t> counts, std::int64_t now_us);

  private:
    std::uint16_t count_ = 0;
    std::int64_t since_us_ = -1;  // not still
};

}  // namespace stator::signal
