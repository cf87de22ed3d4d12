// A Record is one accepted message as the log keeps it: who sent what, where to, and when it came.
//
// Four logs by class, each with its own byte budget. Byte layout: docs/formats/log.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace stator::log {

enum class Class : std::uint8_t { waveform = 0, telemetry = 1, alarm = 2, control = 3 };

inline constexpr std::size_t class_count = 4;

[[nodiscard]] std::string_view name_of(Class log_class);
[[nodiscard]] std::optional<Class> class_named(std::string_view name);

// How much the identity of the sender is worth.
enum class Identity : std::uint8_t {
    certificate = 0,  // the gate verified it
    legacy = 1,       // a listed exception: password, or bare on loopback
    vouched = 2,      // some other broker says so: never authorises an action
    self = 3,         // written by the gate itself: presence
};

[[nodiscard]] std::string_view name_of(Identity identity);

// Where a record stands. Epochs begin anew after each repair; positions are bytes within the
// class's log and never fall within an epoch.
struct Offset {
    std::uint32_t epoch = 0;
    std::uint64_t position = 0;
    friend auto operator<=>(const Offset&, const Offset&) = default;
};

struct RecordView {
    std::int64_t receive_unix_ms = 0;
    Identity identity = Identity::certificate;
    std::string_view topic;
    std::string_view sender;  // client id
    std::string_view payload;
};

struct Record {
    Offset offset;  // of this record
    Offset next;    // of the one after: what to commit when this one is done
    std::int64_t receive_unix_ms = 0;
    Identity identity = Identity::certificate;
    std::string topic;
    std::string sender;
    std::string payload;
};

}  // namespace stator::log
