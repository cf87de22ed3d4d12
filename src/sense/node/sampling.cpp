#include "sense/node/sampling.h"

#include <algorithm>
#include <cassert>
#include <limits>

namespace stator::node {
using wire::SensorFault;

SensorFault on_the_wire(signal::SensorFault fault) {
    switch (fault) {
        case signal::SensorFault::none:
            return SensorFault::none;
        case signal::SensorFault::stuck:
            return SensorFault::stuck;
        case signal::SensorFault::saturated:
            return SensorFault::saturated;
        case signal::SensorFault::disconnected:
            return SensorFault::disconnected;
        case signal::SensorFault::noisy:
            return SensorFault::noisy;
    }
    return SensorFault::none;
}

Sampling::Sampling(
    hal::Adc& adc,
    const asset::Asset& asset,
    std::span<std::uint16_t> counts,
    signal::Extractor* extractor
)
    : adc_{adc}, asset_{asset}, counts_{counts}, extractor_{extractor} {
    for ([[maybe_unused]] const auto& channel : asset.channels)
        assert(counts_.size() >= signal::frame_samples(channel.sampling));
}

SensorFault Sampling::read_channel(
    std::size_t channel, std::span<float> features, std::int64_t now_us
) {
    const asset::Channel& it = asset_.channels[channel];
    const auto frame = counts_.first(signal::frame_samples(it.sampling));
    if (const auto got = adc_.read(channel, frame); !got) {
        // A signal that has just begun: its features are missing, and nothing is wrong.
        if (got.error() == base::Fault::again) return SensorFault::none;
        return SensorFault::disconnected;
    }
    if (channel == keeps_ && frame.size() == keeps_into_.size()) {
        std::ranges::copy(frame, keeps_into_.begin());
        kept_ = channel;
    }
    const auto fault = signal::sensor_fault(it.sampling, frame, it.counts_max);
    if (fault != signal::SensorFault::none) return on_the_wire(fault);
    if (it.sampling == asset::Sampling::slow) {
        const std::int64_t still_us = stillness_[channel].after(frame, now_us);
        if (it.stuck_after_s != 0 && still_us >= std::int64_t{it.stuck_after_s} * 1'000'000)
            return SensorFault::stuck;
    }
    if (extractor_ == nullptr)
        signal::extract(asset_, channel, frame, workspace_, features);
    else
        extractor_->extract(asset_, channel, frame, workspace_, features);
    const auto primary = asset::primary_of(it.sampling);
    for (std::size_t i = 0; i < asset_.features.size(); ++i) {
        const asset::Feature& feature = asset_.features[i];
        if (feature.channel != channel || feature.statistic != primary) continue;
        // No machine does that: the sensor, or its calibration, is wrong.
        if (features[i] < it.plausible_min || features[i] > it.plausible_max)
            return SensorFault::implausible;
    }
    return SensorFault::none;
}

bool Sampling::read(std::span<float> features, std::int64_t now_us) {
    bool whole = true;
    kept_ = asset::channels_max;
    for (std::size_t channel = 0; channel < asset_.channels.size(); ++channel) {
        faults_[channel] = read_channel(channel, features, now_us);
        if (faults_[channel] == SensorFault::none) continue;
        whole = false;
        for (std::size_t i = 0; i < asset_.features.size(); ++i)
            if (asset_.features[i].channel == channel)
                features[i] = std::numeric_limits<float>::quiet_NaN();
    }
    return whole;
}

void Sampling::keep(std::size_t channel, std::span<std::uint16_t> into) {
    keeps_ = channel;
    keeps_into_ = into;
}

std::optional<SensorFault> Sampling::fault_news(std::size_t channel) {
    if (faults_[channel] == told_[channel]) return std::nullopt;
    told_[channel] = faults_[channel];
    return told_[channel];
}

}  // namespace stator::node
