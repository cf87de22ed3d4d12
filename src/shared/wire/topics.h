// Topics are the names of the wire, the same on MQTT and on the stream; every one is configurable.
//
// The four of the contract are bare names; those of one device stand under `device_prefix` and
// `presence_prefix`, for a device id that passed valid_id() and so can hold no '/', '+' or '#'.
#pragma once

#include "shared/base/fixed.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace stator::wire {

inline constexpr std::size_t id_bytes_max = 64;

using Id = base::FixedString<id_bytes_max>;
using Topic = base::FixedString<192>;

// The longest name of a Kafka topic is 249 bytes; the fixed Topic must also hold one of a device.
inline constexpr std::size_t topic_bytes_max = 128;

// 1 to 64 of A-Z a-z 0-9 '.' '_' '-': fit for a topic level, a file name and a SAN URI.
[[nodiscard]] bool valid_id(std::string_view id);

// Why a site may not call one of its four topics so; empty when it may.
[[nodiscard]] std::string_view fault_of_topic(std::string_view name);

enum class TopicKind : std::uint8_t {
    unknown,
    data,
    inference,  // level 1
    alert,      // level 2
    control,
    command,
    stored,
    event,
    waveform,
    presence,
};

struct Place {  // where a topic belongs
    TopicKind kind = TopicKind::unknown;
    Id device;  // of command, stored, event, waveform and presence
};

struct Topics {
    Topic data = "shaded-pole-motor-sensor_data";
    Topic inference = "motor-anomaly-level1-inference";
    Topic alert = "motor-failure-alert-level2-inference";
    Topic control = "control-message";
    Topic device_prefix = "stator/devices/";
    Topic presence_prefix = "stator/presence/";

    [[nodiscard]] Topic command_of(std::string_view device) const;   // <prefix><id>/command
    [[nodiscard]] Topic stored_of(std::string_view device) const;    // <prefix><id>/stored
    [[nodiscard]] Topic event_of(std::string_view device) const;     // <prefix><id>/event
    [[nodiscard]] Topic waveform_of(std::string_view device) const;  // <prefix><id>/waveform
    [[nodiscard]] Topic presence_of(std::string_view device) const;  // <presence prefix><id>
    [[nodiscard]] Place place_of(std::string_view topic) const;
    // No two of the four are one, and a site may call them so.
    [[nodiscard]] bool can_be() const;
};

}  // namespace stator::wire
