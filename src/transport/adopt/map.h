// The Map says how other people's topics become our readings: map.toml, read and checked whole.
//
//   [broker.hall-3]                      # an MQTT broker or a Kafka cluster of somebody else
//   url = "mqtts://emqx.example:8883"    # mqtt, mqtts, kafka, kafkas
//
//   [[source]]
//   broker = "hall-3"
//   topic = "plant/{line}/{pump}/state"  # {name}: one level, captured; + and # as in MQTT
//   device = "{line}-{pump}"             # or asset = "pump-7", or device_path = "$.meta.id"
//   time = "$.ts"                        # absent: when it was received
//   time_unit = "ms"                     # s, ms, us, ns, iso8601
//     [[source.channel]]
//     name = "vibration"
//     path = "$.acc.rms"
//     unit = "m/s2"                      # of the field; it arrives in the channel's own (g)
//
// What is wrong is an Error that names file, line and key. An unknown key is wrong. Every key:
// docs/adopt-a-broker.md.
#pragma once

#include "shared/asset/asset.h"
#include "transport/adopt/pattern.h"
#include "transport/adopt/units.h"
#include "world/outcome/outcome.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stator::adopt {

inline constexpr std::size_t map_bytes_max = 1U << 20U;
inline constexpr std::size_t brokers_max = 32;
inline constexpr std::size_t sources_max = 512;
inline constexpr std::size_t channels_max = 24;  // of one source

enum class Protocol : std::uint8_t { mqtt, kafka };

struct Broker {
    std::string name;
    Protocol protocol = Protocol::mqtt;
    std::string host;  // mqtt
    std::uint16_t port = 0;
    std::string brokers;  // kafka: "host:9092,host:9093"
    bool tls = false;
    std::string client_id;  // mqtt: its session is kept under this name; kafka: the group
    std::string username;
    std::string password_file;
    std::string ca_file;
    std::string certificate_file;
    std::string key_file;
    int protocol_version = 5;         // mqtt: 4 or 5
    std::uint16_t in_flight_max = 0;  // messages taken and not yet acknowledged
    std::uint32_t session_s = 0;      // mqtt 5: how long the broker keeps the session
};

struct Field {
    std::string channel;
    Path path;
    Unit from;
    Unit to;
};

enum class TimeUnit : std::uint8_t { received, s, ms, us, ns, iso8601 };

struct Source {
    std::size_t broker = 0;  // place in Map::brokers
    Pattern topic;
    std::optional<Template> device;  // exactly one of these two
    std::optional<Path> device_path;
    Path time;
    TimeUnit time_unit = TimeUnit::received;
    std::optional<Path> boot;
    std::optional<Path> seq;
    std::vector<Field> fields;
    std::optional<Path> inference;  // then a message is a level-1 inference, not telemetry
    float threshold = 0.5F;
    std::string where;  // "map.toml:12"
};

struct Map {
    std::vector<Broker> brokers;
    std::vector<Source> sources;
};

// `file` is its name in Errors. `assets`: those that `asset = "..."` may name.
[[nodiscard]] Outcome<Map> read_map(
    std::string_view toml, const std::string& file, std::span<const asset::Asset> assets
);

}  // namespace stator::adopt
