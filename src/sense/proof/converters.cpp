#include "sense/proof/converters.h"

#include <algorithm>

namespace stator::proof {

using base::Fault;
using base::Result;

Result<void> AdcFrames::next(std::span<std::uint16_t> counts) {
    for (std::size_t channel = 0; channel < counts.size() / frame_samples; ++channel) {
        const auto frame = counts.subspan(channel * frame_samples, frame_samples);
        if (auto done = adc_.read(channel, frame); !done) return done;
    }
    return {};
}

Result<void> Converters::take() {
    const auto next = std::span{next_}.first(channels_ * frame_samples);
    if (auto done = frames_.next(next); !done) return done;
    for (std::size_t channel = 0; channel < channels_; ++channel) {
        auto& latest = latest_[channel];
        std::shift_left(latest.begin(), latest.end(), frame_samples);
        std::ranges::copy(
            next.subspan(channel * frame_samples, frame_samples),
            std::span{latest}.last(frame_samples).begin()
        );
    }
    samples_ += frame_samples;
    told_.at(samples_);
    return {};
}

Result<void> Converters::read(std::size_t channel, std::span<std::uint16_t> counts) {
    if (channel >= channels_ || counts.size() > signal::waveform_samples)
        return std::unexpected{Fault::bad_input};
    std::ranges::copy(std::span{latest_[channel]}.last(counts.size()), counts.begin());
    return {};
}

void Converters::set_valve_degrees(std::uint8_t degrees) {
    if (valve_degrees_ != degrees) told_.number("valve", degrees);
    valve_degrees_ = degrees;
    actuators_.set_valve_degrees(degrees);
}

void Converters::set_backup_pump(bool on) {
    if (pump_ != on) told_.number("pump", on ? 1 : 0);
    pump_ = on;
    actuators_.set_backup_pump(on);
}

Result<float> Converters::backup_flow_l_per_min() {
    const auto flow = actuators_.backup_flow_l_per_min();
    told_.chain().add(flow.value_or(-1.0F));
    return flow;
}

}  // namespace stator::proof
