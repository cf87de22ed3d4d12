// Gapless is the extractor of a port that gives signals without holes: the asset's arithmetic, and
// the statistics that need a long window.
//
// A channel that has such a statistic is taken whole, a piece at each tend(), and its frames are
// the latest of that; all others are asked as ever. Put between the port's Adc and the node, and
// given to it as its extractor. A signal that stops for a second is a converter that does not
// answer; after a hole the window fills anew, and its statistics are missing meanwhile.
#pragma once

#include "sense/hal/machine.h"
#include "shared/asset/asset.h"
#include "shared/signal/extract_q15.h"
#include "shared/signal/long_window.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace stator::node {

class Gapless final : public hal::Adc, public signal::Extractor {
  public:
    // `windows`: one for each channel that asset::needs_long_window(), in their order. All outlive
    // it.
    Gapless(hal::Adc& adc, const asset::Asset& asset, std::span<signal::LongWindow> windows);

    // The first channel that the port below gives in frames alone; empty when all is well.
    [[nodiscard]] std::string_view missing();

    // Before each step of the node. Bounded: at most a second of each signal.
    void tend(std::int64_t now_us);

    // Fault::again: the signal has just begun.
    [[nodiscard]] base::Result<void> read(std::size_t channel, std::span<std::uint16_t> counts)
        override;

    void extract(
        const asset::Asset& asset,
        std::size_t channel,
        std::span<const std::uint16_t> counts,
        signal::Workspace& workspace,
        std::span<float> features
    ) override;

    // Whether every long window is full: nothing is missing any more.
    [[nodiscard]] bool full() const;

  private:
    struct Signal {
        signal::LongWindow* window = nullptr;  // null: asked for frames
        std::int64_t owed_millionths = 0;      // samples that may have come
        std::int64_t heard_us = 0;
        bool silent = false;
    };

    void tend(std::size_t channel, Signal& signal, std::int64_t elapsed_us);

    hal::Adc& adc_;
    const asset::Asset& asset_;
    std::array<Signal, asset::channels_max> signals_{};
    signal::Q15Extractor q15_;
    std::int64_t now_us_ = 0;
    bool started_ = false;
};

}  // namespace stator::node
