// Sampling reads one frame of every channel and makes the asset's features of it.
//
// A channel that is stuck, saturated, disconnected, noisy or beyond what is plausible is a sensor
// fault, not a machine fault: its features are missing (NaN) and the change is told once.
#pragma once

#include "sense/hal/machine.h"
#include "shared/asset/asset.h"
#include "shared/signal/extract.h"
#include "shared/signal/sensor_fault.h"
#include "shared/wire/messages.h"

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace stator::node {

[[nodiscard]] wire::SensorFault on_the_wire(signal::SensorFault fault);

class Sampling {
  public:
    // `counts`: room for the longest frame. `extractor`: null: signal::extract().
    Sampling(
        hal::Adc& adc,
        const asset::Asset& asset,
        std::span<std::uint16_t> counts,
        signal::Extractor* extractor
    );

    // False when a feature is missing. `features` has room for features_max.
    [[nodiscard]] bool read(std::span<float> features, std::int64_t now_us);

    // From now on a reading also copies this channel's frame, `into` has its size; empty: none.
    void keep(std::size_t channel, std::span<std::uint16_t> into);

    // The channel whose frame the last reading copied; channels_max: none.
    [[nodiscard]] std::size_t kept() const { return kept_; }

    // What has changed since it was last asked.
    [[nodiscard]] std::optional<wire::SensorFault> fault_news(std::size_t channel);

  private:
    [[nodiscard]] wire::SensorFault read_channel(
        std::size_t channel, std::span<float> features, std::int64_t now_us
    );

    hal::Adc& adc_;
    const asset::Asset& asset_;
    std::span<std::uint16_t> counts_;
    signal::Extractor* extractor_;
    std::size_t keeps_ = asset::channels_max;
    std::size_t kept_ = asset::channels_max;
    std::span<std::uint16_t> keeps_into_;
    signal::Workspace workspace_;
    std::array<signal::Stillness, asset::channels_max> stillness_;
    std::array<wire::SensorFault, asset::channels_max> faults_{};
    std::array<wire::SensorFault, asset::channels_max> told_{};
};

}  // namespace stator::node
