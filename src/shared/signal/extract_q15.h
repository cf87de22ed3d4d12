// Q15Extractor makes the same features as extract() by 16-bit integers (q15.h): asset.arithmetic.
//
// Only what comes out is turned into a float of the channel's unit: a few products a feature. Held
// to extract() on the same counts (extract_q15_test.cpp): moments and peaks within 0.2 %, a band
// within the transform's derived bound of the float one, peak_hz within a hundredth of a line.
// 2.6 KB.
#pragma once

#include "shared/signal/extract.h"

#include <array>
#include <cstdint>

namespace stator::signal {

class Q15Extractor final : public Extractor {
  public:
    // As extract(); the workspace is not needed.
    void extract(
        const asset::Asset& asset,
        std::size_t channel,
        std::span<const std::uint16_t> counts,
        Workspace& workspace,
        std::span<float> features
    ) override;

  private:
    std::array<std::int16_t, waveform_samples> block_{};
};

}  // namespace stator::signal
