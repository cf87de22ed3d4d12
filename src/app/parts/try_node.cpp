#include "app/parts/try_node.h"

#include "sense/node/sampling.h"
#include "shared/signal/sensor_fault.h"
#include "shared/wire/messages.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace stator::parts {

namespace {

// What the device itself makes of the frame.
float primary_value(
    const asset::Asset& asset, std::size_t channel, std::span<const std::uint16_t> frame
) {
    signal::Workspace workspace;
    std::vector<float> features(asset::features_max);
    signal::extract(asset, channel, frame, workspace, features);
    for (std::size_t i = 0; i < asset.features.size(); ++i)
        if (asset::feature_name(asset, i).view() == asset.channels[channel].name.view())
            return features[i];
    return 0.0F;
}

}  // namespace

std::string try_channels(hal::Adc& adc, const asset::Asset& asset) {
    std::string text = fmt::format(
        "{:<16} {:>7} {:>9} {:>7} {:>12} {:<6} {}\n",
        "channel",
        "least",
        "mean",
        "most",
        "value",
        "unit",
        "sensor"
    );
    for (std::size_t channel = 0; channel < asset.channels.size(); ++channel) {
        const asset::Channel& it = asset.channels[channel];
        std::vector<std::uint16_t> frame(signal::frame_samples(it.sampling));
        if (!adc.read(channel, frame)) {
            text += fmt::format("{:<16} gives no samples\n", it.name.view());
            continue;
        }
        const auto [least, most] = std::ranges::minmax(frame);
        const double mean =
            std::accumulate(frame.begin(), frame.end(), 0.0) / static_cast<double>(frame.size());
        const float value = primary_value(asset, channel, frame);
        const auto fault = signal::sensor_fault(it.sampling, frame, it.counts_max);
        std::string_view sensor = "fine";
        if (fault != signal::SensorFault::none)
            sensor = wire::name_of(node::on_the_wire(fault));
        else if (value < it.plausible_min || value > it.plausible_max)
            sensor = wire::name_of(wire::SensorFault::implausible);
        text += fmt::format(
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
    return text;
}

}  // namespace stator::parts
