// Packets are MQTT's control packets as a subscriber needs them: built, and read from a stream.
//
// MQTT 3.1.1 and 5. What is read is checked whole: cut_packet() and the parse functions never look
// past the bytes given, and say Fault::bad_input for what the standard forbids.
#pragma once

#include "world/mqtt/mqtt.h"
#include "world/outcome/outcome.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stator::mqtt {

enum class PacketType : std::uint8_t {
    connack = 2,
    publish = 3,
    suback = 9,
    pingresp = 13,
    disconnect = 14,
};

struct RawPacket {
    std::uint8_t type = 0;
    std::uint8_t flags = 0;
    std::string_view body;
    std::size_t size = 0;  // of the whole packet
};

// The first packet of `bytes`; nothing when it is not all there yet. Fault::full: it is longer than
// `bytes_max`.
[[nodiscard]] Outcome<std::optional<RawPacket>> cut_packet(
    std::string_view bytes, std::size_t bytes_max
);

struct Connack {
    bool session_present = false;
    std::uint8_t reason = 0;  // 0: welcome
    std::optional<std::uint16_t> keep_alive_s;
};

struct Publish {
    std::string_view topic;
    std::string_view payload;
    int qos = 0;
    bool retain = false;
    bool duplicate = false;
    std::uint16_t packet = 0;  // its identifier; 0 with QoS 0
};

struct Suback {
    std::uint16_t packet = 0;
    std::vector<std::uint8_t> reasons;  // one a filter; 0x80 and above: refused
};

[[nodiscard]] Outcome<Connack> parse_connack(const RawPacket& raw, int protocol_version);
[[nodiscard]] Outcome<Publish> parse_publish(const RawPacket& raw, int protocol_version);
[[nodiscard]] Outcome<Suback> parse_suback(const RawPacket& raw, int protocol_version);

struct ConnectSettings {
    std::uint16_t receive_max = 0;  // MQTT 5
    std::uint32_t session_s = 0;    // MQTT 5; under 3.1.1 the broker decides
    std::uint32_t packet_bytes_max = 0;
};

[[nodiscard]] std::string make_connect(const Options& options, const ConnectSettings& settings);
[[nodiscard]] std::string make_subscribe(
    std::uint16_t packet, const std::vector<std::string>& filters, int qos, int protocol_version
);
[[nodiscard]] std::string make_puback(std::uint16_t packet);
[[nodiscard]] std::string make_pingreq();
[[nodiscard]] std::string make_disconnect();

}  // namespace stator::mqtt
