#include "sense/proof/lock_step.h"

namespace stator::proof {

using base::Fault;
using base::Result;

namespace {

constexpr std::string_view command = R"({"command":"download-model","payload":")"
                                     "2026-11-28-00:00:00-model.tflite\"}";
static_assert(command.find(lock_step_model) != std::string_view::npos);

node::Config lock_step_config(std::uint32_t interval_ms) {
    node::Config config;
    config.interval_ms = interval_ms;
    config.stored_marks = false;
    return config;
}

}  // namespace

Result<Order> Order::read(std::span<const std::byte> bytes) {
    if (bytes.size() < head_bytes) return std::unexpected{Fault::bad_input};
    const auto word = [&](std::size_t index) {
        std::uint32_t value = 0;
        for (unsigned i = 0; i < 4; ++i)
            value |= std::to_integer<std::uint32_t>(bytes[4 * index + i]) << 8 * i;
        return value;
    };
    const std::size_t envelope_bytes = word(2);
    const std::size_t tflite_bytes = word(3);
    const std::size_t rest = bytes.size() - head_bytes;
    if (word(0) == 0 || envelope_bytes > rest || tflite_bytes > rest - envelope_bytes)
        return std::unexpected{Fault::bad_input};
    return Order{
        .interval_ms = word(0),
        .frames = word(1),
        .envelope = bytes.subspan(head_bytes, envelope_bytes),
        .tflite = bytes.subspan(head_bytes + envelope_bytes, tflite_bytes),
    };
}

asset::Asset lock_step_asset() {
    asset::Asset asset = asset::shaded_pole_motor();
    asset.id = "lock-step";
    asset.device = "lock-step-1";
    asset.mode = asset::Mode::act;
    return asset;
}

LockStep::LockStep(
    hal::Flash& flash, Frames& frames, hal::Actuators& actuators, const Order& order, Record& record
)
    : flash_{flash},
      order_{order},
      asset_{lock_step_asset()},
      config_{lock_step_config(order.interval_ms)},
      event_topic_{config_.topics.event_of(asset_.device.view())},
      command_topic_{config_.topics.command_of(asset_.device.view())},
      told_{record},
      converters_{frames, actuators, asset_.channels.size(), told_},
      post_{told_, event_topic_.view()} {
    fetch_.manifest = order_.envelope;
    fetch_.tflite = order_.tflite;
}

void LockStep::start_node() {
    const hal::Hal hal{
        converters_,
        converters_,
        flash_,
        post_,
        fetch_,
        time_,
        entropy_,
        watchdog_,
        log_,
        verifier_,
    };
    node_.emplace(
        hal,
        asset_,
        config_,
        node::Memory{
            .readings = readings_,
            .events = events_,
            .arenas = {arenas_[0], arenas_[1]},
            .envelope = envelope_,
            .counts = counts_,
        }
    );
}

Result<void> LockStep::run() {
    for (std::uint32_t frame = 0; frame < order_.frames; ++frame) {
        if (auto done = converters_.take(); !done) return done;
        if (converters_.samples() < signal::waveform_samples) continue;  // it is powering up
        time_.now_us =
            static_cast<std::int64_t>(converters_.samples() * 1'000'000 / hal::sampling_rate_hz);
        if (!node_) start_node();
        step();
    }
    told_.number("end", watchdog_.fed);
    return {};
}

void LockStep::step() {
    const node::Status before = node_->status();
    if (before.active && !commanded_) {
        commanded_ = true;
        post_.say(command_topic_.view(), command);
    }
    static_cast<void>(node_->step());
    const node::Status now = node_->status();
    if (now.readings != before.readings) told_.reading(now.value, now.alarm);
    if (now.release != before.release) told_.text("runs", now.model);
    if (now.alarm != before.alarm) told_.number("alarm", now.alarm ? 1 : 0);
    if (now.actor != before.actor) told_.number("actor", static_cast<std::uint64_t>(now.actor));
}

}  // namespace stator::proof
