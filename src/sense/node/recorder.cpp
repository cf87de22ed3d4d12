#include "sense/node/recorder.h"

#include "sense/hal/machine.h"

namespace stator::node {

using wire::WaveformCause;

static_assert(signal::waveform_samples <= wire::waveform_samples_max);

Recorder::Recorder(
    const asset::Asset& asset,
    const Config& config,
    Sampling& sampling,
    Outbox& outbox,
    std::span<std::uint16_t> memory
)
    : asset_{asset}, config_{config}, sampling_{sampling}, outbox_{outbox}, memory_{memory} {
    for (std::size_t i = asset.channels.size(); i-- > 0;)
        if (records(i)) usual_ = i;
    for (std::size_t i = 0; i < asset.channels.size(); ++i)
        if (records(i) && asset.channels[i].name.view() == "vibration") usual_ = i;
    channel_ = usual_;
}

bool Recorder::records(std::size_t channel) const {
    const asset::Sampling sampling = asset_.channels[channel].sampling;
    return sampling == asset::Sampling::waveform &&
           signal::frame_samples(sampling) <= memory_.size();
}

void Recorder::ask(WaveformCause cause, std::string_view channel, std::int64_t now_us) {
    if (usual_ == asset::channels_max || (wanted_ && cause < cause_)) return;
    wanted_ = true;
    cause_ = cause;
    wanted_until_us_ = now_us + wish_us_max;
    channel_ = usual_;
    for (std::size_t i = 0; i < asset_.channels.size(); ++i)
        if (records(i) && asset_.channels[i].name == channel) channel_ = i;
}

void Recorder::before(std::int64_t now_us) {
    if (usual_ == asset::channels_max) return;
    const std::int64_t interval_us = std::int64_t{config_.waveform_interval_s} * 1'000'000;
    if (interval_us != 0 && now_us >= next_us_) {
        next_us_ = now_us + interval_us;
        ask(WaveformCause::interval, "", now_us);
    }
    if (wanted_ && now_us >= wanted_until_us_) wanted_ = false;
    if (!wanted_) channel_ = usual_;
    const bool free = wanted_ ? outbox_.make_frame_room(cause_) : !outbox_.frame_waits();
    const std::size_t samples = signal::frame_samples(asset::Sampling::waveform);
    sampling_.keep(channel_, free ? memory_.first(samples) : std::span<std::uint16_t>{});
}

void Recorder::after(const Reading& reading) {
    if (!wanted_ || sampling_.kept() != channel_) return;
    Frame frame;
    frame.time_unix_ms = reading.time_unix_ms;
    frame.clock_synced = reading.clock_synced;
    frame.cause = cause_;
    frame.channel = static_cast<std::uint8_t>(channel_);
    frame.counts = memory_.first(signal::frame_samples(asset::Sampling::waveform));
    wanted_ = !outbox_.push(frame);
}

wire::Waveform Recorder::message_of(const asset::Asset& asset, const Frame& frame) {
    const asset::Channel& channel = asset.channels[frame.channel];
    wire::Waveform message;
    message.device = asset.device.view();
    message.time_unix_ms = frame.time_unix_ms;
    message.clock_synced = frame.clock_synced;
    message.channel = channel.name.view();
    message.unit = channel.unit.view();
    message.rate_hz = hal::sampling_rate_hz;
    message.cause = frame.cause;
    message.zero = channel.calibration.zero_counts;
    message.scale = channel.calibration.unit_per_count;
    message.offset = channel.calibration.offset;
    message.counts = frame.counts;
    return message;
}

}  // namespace stator::node
