#include "app/parts/try_node.h"

#include "sense/node/gapless.h"
#include "sense/node/sampling.h"
#include "sense/port/host/long_windows.h"
#include "shared/signal/sensor_fault.h"
#include "shared/signal/zone.h"
#include "shared/wire/messages.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace stator::parts {

namespace {

// The signals that are taken whole, until their windows are full.
void fill(clock::Clock& clock, node::Gapless& signals) {
    constexpr std::int64_t wait_us_max = 5'000'000;
    const std::int64_t begin_us = clock.monotonic_us();
    for (std::int64_t now_us = begin_us; now_us - begin_us < wait_us_max;
         now_us = clock.monotonic_us()) {
        signals.tend(now_us);
        if (signals.full()) return;
        clock.wait_us(10'000);
    }
}

class Trial {
  public:
    // `signals`: what the device itself would make of the channels.
    Trial(node::Gapless& signals, const asset::Asset& asset) : signals_{signals}, asset_{asset} {
        features_.fill(std::numeric_limits<float>::quiet_NaN());
    }

    [[nodiscard]] std::string channel_line(std::size_t channel);
    [[nodiscard]] std::string feature_lines() const;
    [[nodiscard]] std::string zone_line() const;

  private:
    [[nodiscard]] float primary_value(std::size_t channel) const;
    [[nodiscard]] bool is_primary(std::size_t feature) const;

    node::Gapless& signals_;
    const asset::Asset& asset_;
    signal::Workspace workspace_;
    std::array<float, asset::features_max> features_{};
};

bool Trial::is_primary(std::size_t feature) const {
    return asset::feature_name(asset_, feature).view() ==
           asset_.channels[asset_.features[feature].channel].name.view();
}

float Trial::primary_value(std::size_t channel) const {
    for (std::size_t i = 0; i < asset_.features.size(); ++i)
        if (asset_.features[i].channel == channel && is_primary(i)) return features_.at(i);
    return 0.0F;
}

std::string Trial::channel_line(std::size_t channel) {
    const asset::Channel& it = asset_.channels[channel];
    std::vector<std::uint16_t> frame(signal::frame_samples(it.sampling));
    if (!signals_.read(channel, frame))
        return fmt::format("{:<16} gives no samples\n", it.name.view());
    const auto [least, most] = std::ranges::minmax(frame);
    const double mean =
        std::accumulate(frame.begin(), frame.end(), 0.0) / static_cast<double>(frame.size());
    signals_.extract(asset_, channel, frame, workspace_, features_);
    const float value = primary_value(channel);
    const auto fault = signal::sensor_fault(it.sampling, frame, it.counts_max);
    std::string_view sensor = "fine";
    if (fault != signal::SensorFault::none)
        sensor = wire::name_of(node::on_the_wire(fault));
    else if (value < it.plausible_min || value > it.plausible_max)
        sensor = wire::name_of(wire::SensorFault::implausible);
    return fmt::format(
        "{:<16} {:>7} {:>9.1f} {:>7} {:>12.4f} {:<6} {}\n",
        it.name.view(),
        least,
        mean,
        most,
        value,
        it.unit.view(),
        sensor
    );
}

std::string Trial::feature_lines() const {
    std::string text;
    for (std::size_t i = 0; i < asset_.features.size(); ++i) {
        if (is_primary(i)) continue;
        const auto name = asset::feature_name(asset_, i);
        const std::string_view unit = asset::unit_of(asset_, i);
        const std::string value =
            std::isnan(features_.at(i)) ? "missing" : fmt::format("{:.4f}", features_.at(i));
        text += fmt::format("{:<35} {:>12} {}\n", name.view(), value, unit);
    }
    if (text.empty()) return text;
    return fmt::format("{:<35} {:>12} {}\n", "feature", "value", "unit") + text;
}

std::string Trial::zone_line() const {
    const signal::Vibration it = signal::vibration_of(asset_, features_);
    if (it.zone == signal::Zone::none) return {};
    return fmt::format(
        "vibration {:.2f} mm/s RMS: zone {} of ISO 20816 (B from {}, C from {}, D from {} mm/s)\n",
        it.velocity_mm_per_s,
        signal::name_of(it.zone),
        asset_.zones.b_mm_per_s,
        asset_.zones.c_mm_per_s,
        asset_.zones.d_mm_per_s
    );
}

}  // namespace

std::string try_channels(clock::Clock& clock, hal::Adc& adc, const asset::Asset& asset) {
    std::vector<signal::LongWindow> windows = host::long_windows_of(asset);
    node::Gapless signals{adc, asset, windows};
    std::string text;
    if (const std::string_view channel = signals.missing(); !channel.empty())
        text = fmt::format("{} is given in frames alone: no long window\n", channel);
    else
        fill(clock, signals);
    text += fmt::format(
        "{:<16} {:>7} {:>9} {:>7} {:>12} {:<6} {}\n",
        "channel",
        "least",
        "mean",
        "most",
        "value",
        "unit",
        "sensor"
    );
    Trial trial{signals, asset};
    for (std::size_t channel = 0; channel < asset.channels.size(); ++channel)
        text += trial.channel_line(channel);
    return text + trial.feature_lines() + trial.zone_line();
}

}  // namespace stator::parts
