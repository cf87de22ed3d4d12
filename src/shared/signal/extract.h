// Extract turns one frame of ADC counts of a channel into that channel's features.
//
// The only code that makes features: on the device, in simulation, for training. Frames are
// consecutive samples at 13,095 Hz. A slow channel's frame is 64 samples (4.9 ms): a mean. A
// waveform channel's is 1310 (100 ms): five whole cycles of 50 Hz and six of 60 Hz, so that an RMS
// is one; its spectrum is made of the first 1024 (lines 12.79 Hz apart, Hamming). The reference
// design's is 64 samples and a spectrum of all of them (lines 204.6 Hz apart). Cost: one pass for
// the moments and one FFT; memory: Workspace and nothing else.
#pragma once

#include "shared/asset/asset.h"
#include "shared/signal/fft.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace stator::signal {

inline constexpr double sampling_rate_hz = 13'095.0;
inline constexpr std::size_t slow_samples = 64;
inline constexpr std::size_t waveform_samples = 1310;
inline constexpr std::size_t reference_samples = 64;

[[nodiscard]] constexpr std::size_t frame_samples(asset::Sampling sampling) {
    if (sampling == asset::Sampling::waveform) return waveform_samples;
    return sampling == asset::Sampling::slow ? slow_samples : reference_samples;
}

struct Workspace {
    std::array<float, waveform_samples> samples{};
    std::array<float, fft_samples_max> spectrum{};
};

// Writes the features of `channel` (an index) to their places in `features`, which has room for all
// of the asset's; leaves the others alone. `counts` has frame_samples() of the channel's sampling:
// asserted. Units are the channel's. A statistic that the sampling does not offer is 0; one that
// needs a long window is left alone, for LongWindow to write.
void extract(
    const asset::Asset& asset,
    std::size_t channel,
    std::span<const std::uint16_t> counts,
    Workspace& workspace,
    std::span<float> features
);

// Another way to make them, or more of them: integers (extract_q15.h), a long window.
class Extractor {
  public:
    virtual void extract(
        const asset::Asset& asset,
        std::size_t channel,
        std::span<const std::uint16_t> counts,
        Workspace& workspace,
        std::span<float> features
    ) = 0;

  protected:
    ~Extractor() = default;
};

}  // namespace stator::signal
