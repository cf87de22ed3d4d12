// apply() makes of one message of somebody else's broker what our device would have said.
//
// Pure: the same bytes give the same Reading. Numbers may stand as JSON numbers or as texts that
// are one ("41.2"). A field that is missing, null or no number leaves its channel out; a message of
// which no channel is left is an Error, as is one without device or with a time that is none.
#pragma once

#include "transport/adopt/map.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stator::adopt {

struct Arrived {
    std::string_view topic;
    std::string_view key;  // of a Kafka record
    std::string_view payload;
    std::int64_t receive_unix_ms = 0;
};

struct Reading {
    std::string device;
    std::vector<std::pair<std::string, float>> channels;
    std::int64_t time_unix_ms = 0;
    bool timed = false;  // by its sender
    std::optional<std::uint32_t> boot;
    std::optional<std::uint64_t> seq;
    std::optional<float> inference;  // then it is a level-1 inference
    float threshold = 0.5F;
};

[[nodiscard]] Outcome<Reading> apply(const Source& source, const Arrived& arrived);

// RFC 3339 and the common rest of ISO 8601: 2026-11-23T06:40:00[.123][Z|+01:00]; without an offset
// it is UTC. Milliseconds since 1970.
[[nodiscard]] std::optional<std::int64_t> parse_iso8601(std::string_view text);

// The message for our gate. `origin` tells it from every other: docs/adopt-a-broker.md.
struct Number {
    std::uint32_t boot = 0;
    std::uint64_t seq = 0;
};

[[nodiscard]] std::string render(const Reading& reading, Number number, std::string_view origin);

}  // namespace stator::adopt
