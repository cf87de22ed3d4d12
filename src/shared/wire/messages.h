// The messages of the wire, as values, and their JSON: written and read without a heap.
//
// encode() writes into the caller's buffer (Fault::full when it is too small: message_bytes_max is
// always enough). decode() takes strict JSON, ignores members it does not know, and says
// Fault::bad_input for a known member of the wrong kind. What a peer may leave out is optional.
// Grammar and an example of each: docs/contract.md.
#pragma once

#include "shared/base/fixed.h"
#include "shared/base/result.h"
#include "shared/wire/topics.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

namespace stator::wire {

inline constexpr std::size_t message_bytes_max = 4096;
inline constexpr std::size_t values_max = 24;

using Word = base::FixedString<32>;
using FileName = base::FixedString<128>;
using Text = base::FixedString<160>;

struct NamedValue {
    Word name;
    float value = 0.0F;
};

using Values = base::FixedVector<NamedValue, values_max>;

[[nodiscard]] std::optional<float> find(const Values& values, std::string_view name);

// Telemetry, and with `event`, `inference` and the rest also the level-1 inference.
struct Telemetry {
    Id device;
    Values channels;  // every top-level number that has no meaning of its own
    Values features;
    bool filtered = true;  // fft_data
    std::optional<std::int64_t> time_unix_ms;
    std::optional<std::uint32_t> boot;
    std::optional<std::uint64_t> seq;
    bool clock_synced = false;
    std::optional<std::uint32_t> feature_set;
    std::optional<float> inference;
    std::optional<float> threshold;
    bool alarm = false;
    FileName model;  // empty: none runs
    Word firmware;
    Word event;  // "cleared" at the end of an alarm
};

using Inference = Telemetry;

enum class Order : std::uint8_t {
    extract_data,
    train_model,
    download_model,
    backup_on,
    backup_off,
    reset,
    lock_out,  // addition: no automatic start until "unlock"
    unlock,
    update_firmware,
    record_waveform,  // addition: the next frame of a channel, as it is
    unknown,          // not ours: ignore
};

struct Command {
    Order order = Order::unknown;
    FileName payload;
};

enum class Severity : std::uint8_t { none, potential, imminent };

[[nodiscard]] std::string_view name_of(Severity severity);

struct Alert {  // level 2
    Id device;
    std::int64_t time_unix_ms = 0;
    float inference = 0.0F;
    Severity severity = Severity::none;
    float threshold = 0.5F;
    bool alarm = false;
    FileName model;
    Values contributions;
    Word suspected;  // the kind of fault; empty: not said
    Text evidence;   // what that rests on
    Id source;
    std::uint32_t boot = 0;
    std::uint64_t seq = 0;
};

enum class ModelState : std::uint8_t {
    downloading,
    downloaded,
    updating,  // it is whole, and what runs is about to go: of firmware
    trial,
    confirmed,
    refused,
    factory,  // nothing that was committed can run: what the factory wrote does
};
enum class ActionState : std::uint8_t {
    accepted,
    refused,
    sent,
    acknowledged,
    effect_observed,
    effect_not_observed,
    released,
};
enum class SensorFault : std::uint8_t {
    none,
    stuck,
    saturated,
    disconnected,
    noisy,
    implausible,  // within the converter's range, beyond what the machine can do
};

[[nodiscard]] std::string_view name_of(ModelState state);
[[nodiscard]] std::string_view name_of(ActionState state);
[[nodiscard]] std::string_view name_of(SensorFault fault);

struct ModelEvent {
    ModelState state = ModelState::refused;
    FileName model;
    std::uint32_t release = 0;
    Text reason;
};

struct ActionEvent {
    Word command;  // "backup"
    FileName command_id;
    ActionState state = ActionState::accepted;
    Text reason;
    std::uint32_t valve_degrees = 0;
    std::optional<float> flow_l_per_min;
};

struct GapEvent {  // what is missing of from..to was shed by the device
    std::uint64_t from = 0;
    std::uint64_t to = 0;
    Text reason;
};

struct SensorEvent {
    Word channel;
    SensorFault fault = SensorFault::none;
};

struct FirmwareEvent {
    ModelState state = ModelState::refused;
    FileName file;  // empty when a restart lies between
    Word version;   // empty while it is not known
    std::uint32_t release = 0;
    Text reason;
};

struct StartedEvent {
    Word firmware;
    FileName model;
    Word cause;  // power-on, restart, watchdog, fault, brown-out; empty: not known
};

struct DeviceEvent {
    Id device;
    std::int64_t time_unix_ms = 0;
    std::uint32_t boot = 0;
    std::uint64_t seq = 0;
    std::variant<StartedEvent, ModelEvent, ActionEvent, GapEvent, SensorEvent, FirmwareEvent> what;
};

[[nodiscard]] std::string_view kind_of(const DeviceEvent& event);

// In the order of their worth.
enum class WaveformCause : std::uint8_t { interval, order, alarm };

// Samples as the converter gave them: a physical value is (count - zero) * scale + offset.
struct Waveform {
    Id device;
    std::int64_t time_unix_ms = 0;
    std::uint32_t boot = 0;
    std::uint64_t seq = 0;
    bool clock_synced = false;
    Word channel;
    Word unit;
    std::uint32_t rate_hz = 0;
    WaveformCause cause = WaveformCause::interval;
    float zero = 0.0F;
    float scale = 1.0F;
    float offset = 0.0F;
    std::span<const std::uint16_t> counts;  // at most waveform_samples_max
};

inline constexpr std::size_t waveform_samples_max = 1310;  // so that it fits message_bytes_max

struct StoredMark {  // everything up to seq of this boot is synced, or was declared lost
    std::uint32_t boot = 0;
    std::uint64_t seq = 0;
    bool hold = false;
};

struct Presence {
    Id device;
    std::int64_t time_unix_ms = 0;
    bool online = false;
    Text reason;
};

// What a gate must know of any message that a device sends, and nothing else of it.
struct Head {
    Id device;  // empty when there is no deviceID
    std::optional<std::uint32_t> boot;
    std::optional<std::uint64_t> seq;
    Word event;  // of device events and inferences
    bool has_time = false;
    bool alarm = false;
};

using Json = base::Result<std::string_view>;

[[nodiscard]] Json encode(const Telemetry& telemetry, std::span<char> into);
[[nodiscard]] Json encode(const Command& command, std::span<char> into);
[[nodiscard]] Json encode(const Alert& alert, std::span<char> into);
[[nodiscard]] Json encode(const DeviceEvent& event, std::span<char> into);
[[nodiscard]] Json encode(const Waveform& waveform, std::span<char> into);
[[nodiscard]] Json encode(const StoredMark& mark, std::span<char> into);
[[nodiscard]] Json encode(const Presence& presence, std::span<char> into);

[[nodiscard]] base::Result<Telemetry> decode_telemetry(std::string_view json);
[[nodiscard]] base::Result<Command> decode_command(std::string_view json);
[[nodiscard]] base::Result<Alert> decode_alert(std::string_view json);
[[nodiscard]] base::Result<DeviceEvent> decode_event(std::string_view json);
[[nodiscard]] base::Result<StoredMark> decode_stored(std::string_view json);
[[nodiscard]] base::Result<Presence> decode_presence(std::string_view json);
[[nodiscard]] base::Result<Head> decode_head(std::string_view json);
// The Head's device alone, at a fraction of its cost; empty where the message names none.
[[nodiscard]] base::Result<Id> decode_device(std::string_view json);

// 8 lower-case hex digits, as feature-set hashes are written.
using Hex32 = base::FixedString<8>;
[[nodiscard]] Hex32 write_hex32(std::uint32_t value);
[[nodiscard]] base::Result<std::uint32_t> read_hex32(std::string_view text);

}  // namespace stator::wire
