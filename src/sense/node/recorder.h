// The Recorder sends a raw frame of one channel now and then, as evidence and for whoever wants
// more than its features: at an alarm's begin, when it is asked for, and at the configured
// interval.
//
// One frame at a time: the memory, the caller's, is the latest frame until one is wanted, and then
// that frame until the site has it. So the frame of an alarm is the one that raised it. What waits
// for less gives way; what cannot be sent within wish_us_max is not recorded. It only copies: what
// is judged is the same without it. Without memory, or a waveform channel, it does nothing.
#pragma once

#include "sense/node/config.h"
#include "sense/node/outbox.h"
#include "sense/node/reading.h"
#include "sense/node/sampling.h"
#include "shared/asset/asset.h"
#include "shared/wire/messages.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace stator::node {

class Recorder {
  public:
    // Of the asset's waveform channels, unless another is asked for: "vibration", or the first.
    Recorder(
        const asset::Asset& asset,
        const Config& config,
        Sampling& sampling,
        Outbox& outbox,
        std::span<std::uint16_t> memory
    );

    // `channel`: its name; any other word means the usual one.
    void ask(wire::WaveformCause cause, std::string_view channel, std::int64_t now_us);

    // Around each reading.
    void before(std::int64_t now_us);
    void after(const Reading& reading);

    [[nodiscard]] static wire::Waveform message_of(const asset::Asset& asset, const Frame& frame);

  private:
    static constexpr std::int64_t wish_us_max = 10'000'000;

    [[nodiscard]] bool records(std::size_t channel) const;

    const asset::Asset& asset_;
    const Config& config_;
    Sampling& sampling_;
    Outbox& outbox_;
    std::span<std::uint16_t> memory_;
    std::size_t usual_ = asset::channels_max;  // none
    std::size_t channel_ = asset::channels_max;
    bool wanted_ = false;
    wire::WaveformCause cause_ = wire::WaveformCause::interval;
    std::int64_t wanted_until_us_ = 0;
    std::int64_t next_us_ = 0;  // of the interval
};

}  // namespace stator::node
