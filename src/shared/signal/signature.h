// The Signature is what the current of an induction motor says of its rotor.
//
// 1024 samples at 291 Hz (3.52 s; lines 0.284 Hz apart) through a Blackman-Harris window, whose
// side lobes lie 92 dB below. The largest line between 45 and 65 Hz is the mains. A rotor that is
// not round or not straight modulates the current at its own speed, a broken bar at twice the slip:
//
//   line +- rotation, rotation = line (1 - slip) / pole pairs        line (1 +- 2 slip)
//
// No speed is measured: each pair is the loudest one that a slip up to the asset's could make. A
// sideband nearer than 2.3 Hz to the line, or to 0 Hz, is not told from it.
#pragma once

#include "shared/asset/asset.h"

#include <array>
#include <cstddef>
#include <span>

namespace stator::signal {

inline constexpr double signature_rate_hz = 291.0;
inline constexpr std::size_t signature_samples = 1024;
inline constexpr float sideband_db_min = -120.0F;  // when there is nothing

struct Signature {
    float line_hz = 0.0F;
    float line_rms = 0.0F;  // in the samples' unit
    // Power of both sidebands together over the line's, dB.
    float rotation_sideband_db = sideband_db_min;
    float slip_sideband_db = sideband_db_min;
};

// `samples`: as the Decimator gives them, in the channel's unit; spoilt. Above the Decimator's
// pass_hz nothing is looked for: of a pair half in it the lower one counts alone.
[[nodiscard]] Signature signature_of(
    std::span<float, signature_samples> samples, const asset::Rotor& rotor
);

// Its statistic's, 0 of any other.
[[nodiscard]] float of(const Signature& signature, asset::Statistic statistic);

}  // namespace stator::signal
