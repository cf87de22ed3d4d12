// The node's way out: what waits becomes JSON.
#include "sense/node/node.h"

#include <cmath>

namespace stator::node {

wire::Json Node::encode(const Outbox::Item& item, std::string_view& topic) {
    if (!item.json.empty()) {
        topic = event_topic_.view();
        return item.json;
    }
    if (item.event != nullptr) {
        topic = event_topic_.view();
        return wire::encode(message_of(asset_.device.view(), item), buffer_);
    }
    if (item.frame != nullptr) {
        topic = waveform_topic_.view();
        wire::Waveform waveform = Recorder::message_of(asset_, *item.frame);
        waveform.boot = item.key.boot;
        waveform.seq = item.key.seq;
        return wire::encode(waveform, buffer_);
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
