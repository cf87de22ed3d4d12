// A LongWindow is one channel's signal without a hole: its last frame, and 3.5 s of it decimated.
//
// Whoever takes the signal pushes it as it comes; features() makes those statistics of it that need
// more than a frame. 7 KB; no heap.
#pragma once

#include "shared/asset/asset.h"
#include "shared/signal/decimator.h"
#include "shared/signal/extract.h"
#include "shared/signal/signature.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace stator::signal {

class LongWindow {
  public:
    explicit LongWindow(const asset::Calibration& calibration);

    void push(std::span<const std::uint16_t> counts);
    // After a hole: nothing was ever pushed.
    void restart();

    // Of samples there must have been until the statistics can be made: 3.65 s.
    static constexpr std::size_t samples_min =
        (Decimator::settling + signature_samples) * Decimator::factor;

    [[nodiscard]] bool full() const {
        return decimated_ >= Decimator::settling + signature_samples;
    }

    // The latest counts, at most waveform_samples; false when there were not yet so many.
    [[nodiscard]] bool frame(std::span<std::uint16_t> into) const;

    // Writes what the channel (an index) has of such features; NaN until full().
    void features(
        const asset::Asset& asset, std::size_t channel, Workspace& workspace, std::span<float> into
    ) const;

  private:
    asset::Calibration calibration_;
    Decimator decimator_;
    std::array<std::uint16_t, waveform_samples> recent_{};
    std::size_t recent_next_ = 0;
    std::size_t recent_count_ = 0;
    std::array<std::int32_t, signature_samples> window_{};  // 1/256 counts
    std::size_t window_next_ = 0;
    std::size_t decimated_ = 0;  // as far as full() asks
};

}  // namespace stator::signal
