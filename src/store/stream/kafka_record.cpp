#include "store/stream/kafka_record.h"

#include "shared/wire/leading_device.h"
#include "shared/wire/messages.h"

#include <algorithm>
#include <utility>

namespace stator::stream {

namespace {

constexpr const char* site_header = "stator-site";
constexpr const char* sender_header = "stator-sender";
constexpr const char* identity_header = "stator-identity";
constexpr const char* topic_header = "stator-topic";

std::string header_of(const kafka::Record& record, const char* name, const std::string& otherwise) {
    const auto found = record.headers.find(name);
    return found == record.headers.end() ? otherwise : found->second;
}

}  // namespace

std::string kafka_topic_of(std::string_view mqtt_topic) {
    std::string name;
    std::size_t level = 0;
    for (std::size_t from = 0; from <= mqtt_topic.size(); ++level) {
        const std::size_t to = std::min(mqtt_topic.find('/', from), mqtt_topic.size());
        // stator/devices/ID/event, stator/presence/ID: the id is the record's key.
        if (level != 2 || !name.starts_with("stator.")) {
            if (level != 0) name += '.';
            name += mqtt_topic.substr(from, to - from);
        }
        from = to + 1;
    }
    return name;
}

std::string key_of(const log::Record& record) {
    // The gate has read it whole before it came into the log.
    if (const auto leading = wire::leading_device(record.payload); !leading.empty())
        return std::string{leading};
    const auto device = wire::decode_device(record.payload);
    if (device && !device->empty()) return std::string{device->view()};
    return record.sender;
}

kafka::Record to_kafka(log::Record record, const std::string& site, std::string kafka_topic) {
    kafka::Record made;
    made.topic = std::move(kafka_topic);
    made.key = key_of(record);
    made.value = std::move(record.payload);
    made.unix_ms = record.receive_unix_ms;
    made.headers.emplace(site_header, site);
    made.headers.emplace(sender_header, std::move(record.sender));
    made.headers.emplace(identity_header, log::name_of(record.identity));
    made.headers.emplace(topic_header, std::move(record.topic));
    return made;
}

log::Record from_kafka(const kafka::Record& record) {
    log::Record made;
    made.receive_unix_ms = record.unix_ms;
    made.identity = log::Identity::vouched;
    made.topic = header_of(record, topic_header, record.topic);
    made.sender = header_of(record, sender_header, record.key);
    made.payload = record.value;
    return made;
}

}  // namespace stator::stream
