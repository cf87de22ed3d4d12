// A record of the log and a record of Kafka are the same message: this is how one becomes the
// other.
//
// The value is the payload as the device sent it, byte for byte; the key is the device that it is
// about, so that its records stay in order; the time is when the gate received it. Headers say the
// rest: `stator-site`, `stator-sender` (client id), `stator-identity`, `stator-topic` (as on MQTT).
// Coming back, the identity is `vouched`, whatever the header says: whoever may write to Kafka may
// write any header. Format: docs/formats/kafka.md.
#pragma once

#include "store/log/record.h"
#include "world/kafka/kafka.h"

#include <string>
#include <string_view>

namespace stator::stream {

// Kafka's topic names know no '/': it becomes '.'. Of the topics that each device has its own of,
// Kafka has one for all: stator/devices/7/event is stator.devices.event.
[[nodiscard]] std::string kafka_topic_of(std::string_view mqtt_topic);
// The device a record is about: its payload's deviceID, else its sender.
[[nodiscard]] std::string key_of(const log::Record& record);
[[nodiscard]] kafka::Record to_kafka(
    log::Record record, const std::string& site, std::string kafka_topic
);
// Without a header for it, the topic is Kafka's own. Offsets are the reader's to give.
[[nodiscard]] log::Record from_kafka(const kafka::Record& record);

}  // namespace stator::stream
