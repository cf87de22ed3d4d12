// The node's way out: what waits becomes JSON and goes, in order, as far as the window allows.
#include "sense/node/node.h"

#include <algorithm>
#include <cmath>

namespace stator::node {

bool Node::publish() {
    if (!connected_) return false;
    const std::int64_t wait_us = std::int64_t{config_.stored_wait_ms} * 1000;
    const bool may_send = !config_.stored_marks || mark_seen_ || now_us_ - connected_us_ >= wait_us;
    if (!may_send) return false;
    static_cast<void>(
        outbox_.declare_gap(hal_.time.unix_ms(), now_us_ / 1000, std::int64_t{config_.gap_ms_max})
    );
    bool busy = false;
    const std::size_t window =
        std::min<std::size_t>(config_.in_flight_max, decltype(flying_)::capacity());
    for (std::uint32_t i = 0; i < config_.publishes_per_step && flying_.size() < window; ++i) {
        const auto item = outbox_.next(hal_.time.unix_ms());
        if (!item) break;
        std::string_view topic;
        const auto json = encode(*item, topic);
        if (!json) {  // cannot be: message_bytes_max holds every message
            hal_.log.warn("a message is too large for the wire");
            outbox_.give_up(item->key);
            continue;
        }
        const auto id = hal_.link.publish(topic, *json);
        if (!id) break;
        outbox_.mark_sent(item->key);
        last_sent_ = item->key;
        static_cast<void>(flying_.push_back({.id = *id, .key = item->key}));
        busy = true;
    }
    return busy;
}

wire::Json Node::encode(const Outbox::Item& item, std::string_view& topic) {
    if (!item.json.empty()) {
        topic = event_topic_.view();
        return item.json;
    }
    if (item.event != nullptr) {
        topic = event_topic_.view();
        wire::DeviceEvent event;
        event.device = asset_.device.view();
        event.time_unix_ms = item.event->time_unix_ms;
        event.boot = item.key.boot;
        event.seq = item.key.seq;
        event.what = item.event->body;
        return wire::encode(event, buffer_);
    }
    const Reading& reading = *item.reading;
    const bool telemetry = reading.kind == ReadingKind::telemetry;
    topic = telemetry ? config_.topics.data.view() : config_.topics.inference.view();
    wire::Telemetry message;
    message.device = asset_.device.view();
    for (std::size_t i = 0; i < asset_.features.size(); ++i) {
        if (!std::isfinite(reading.features[i])) continue;  // missing is left out
        const wire::NamedValue value{
            .name = asset::feature_name(asset_, i).view(), .value = reading.features[i]
        };
        const auto& channel = asset_.channels[asset_.features[i].channel];
        const bool primary = value.name.view() == channel.name.view();
        auto& values = primary ? message.channels : message.features;
        static_cast<void>(values.push_back(value));
    }
    message.time_unix_ms = reading.time_unix_ms;
    message.boot = item.key.boot;
    message.seq = item.key.seq;
    message.clock_synced = reading.clock_synced;
    message.feature_set = asset::feature_set_hash(asset_);
    if (reading.judged) message.inference = reading.value;
    if (reading.model != 0) message.threshold = reading.threshold;
    message.alarm = reading.alarm;
    const Origin* origin = item.origin;  // of what was measured before, perhaps by another program
    message.model = origin != nullptr ? origin->model : models_[reading.model];
    message.firmware = origin != nullptr ? origin->firmware : wire::Word{config_.firmware.view()};
    if (reading.cleared) message.event = "cleared";
    return wire::encode(message, buffer_);
}

}  // namespace stator::node
