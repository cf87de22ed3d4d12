#include "shared/wire/decimal.h"
#include "shared/wire/json.h"
#include "shared/wire/messages.h"
#include "shared/wire/names.h"

#include <algorithm>
#include <concepts>
#include <limits>

namespace stator::wire {
namespace {

using base::Fault;
using base::Result;

// Reads members into their places and remembers whether all that were there had the right kind.
class Reader {
  public:
    explicit Reader(Value object) : object_{object} {}

    [[nodiscard]] bool good() const { return good_; }

    [[nodiscard]] bool has(std::string_view name) const { return object_.member(name).has_value(); }

    template <std::size_t bytes_max>
    bool text(std::string_view name, base::FixedString<bytes_max>& into) {
        return settle(object_.text(name, into));
    }

    bool number(std::string_view name, float& into) {
        return keep(object_.number_float(name), into);
    }

    bool boolean(std::string_view name, bool& into) { return keep(object_.boolean(name), into); }

    template <std::unsigned_integral T>
    bool whole(std::string_view name, T& into) {
        std::int64_t wide = 0;
        if (!keep(object_.integer(name), wide)) return false;
        if (wide < 0 || static_cast<std::uint64_t>(wide) > std::numeric_limits<T>::max())
            return wrong();
        into = static_cast<T>(wide);
        return true;
    }

    template <typename T>
    void optional_whole(std::string_view name, std::optional<T>& into) {
        T value{};
        if (whole(name, value)) into = value;
    }

    void optional_number(std::string_view name, std::optional<float>& into) {
        float value = 0.0F;
        if (number(name, value)) into = value;
    }

    // Unix milliseconds, as the contract's string or as a number.
    bool time(std::int64_t& into) {
        const auto found = object_.member("timeStamp");
        if (!found) return false;
        if (found->kind() == Kind::number) return keep(found->integer(), into);
        base::FixedString<20> digits;
        return settle(found->text(digits)) && keep(to_integer(digits.view()), into);
    }

    bool id(std::string_view name, Id& into) {
        if (!text(name, into)) return false;
        return valid_id(into.view()) || wrong();
    }

    template <typename Enum, std::size_t count>
    bool word(std::string_view name, const Names<Enum, count>& names, Enum& into) {
        Word read;
        if (!text(name, read)) return false;
        const auto value = names.value(read.view());
        if (!value) return wrong();
        into = *value;
        return true;
    }

    // The numbers of an object that fit; what is not a number is not a value.
    void values(std::string_view name, Values& into) {
        const auto found = object_.member(name);
        if (!found) return;
        if (found->kind() != Kind::object) {
            wrong();
            return;
        }
        collect(*found, into, {});
    }

    void channels(Values& into, std::span<const std::string_view> except) {
        collect(object_, into, except);
    }

  private:
    static void collect(Value object, Values& into, std::span<const std::string_view> except) {
        Members members = object.members();
        for (Member member; members.next(member);) {
            NamedValue value;
            const auto number = member.value.number_float();
            if (!number || !member.name.text(value.name)) continue;
            if (std::ranges::find(except, value.name.view()) != except.end()) continue;
            value.value = *number;
            if (!into.push_back(value)) return;
        }
    }

    bool wrong() {
        good_ = false;
        return false;
    }

    template <typename T>
    bool settle(const Result<T>& result) {
        if (result) return true;
        if (result.error() != Fault::not_found) good_ = false;
        return false;
    }

    template <typename T>
    bool keep(const Result<T>& result, T& into) {
        if (!settle(result)) return false;
        into = *result;
        return true;
    }

    Value object_;
    bool good_ = true;
};

Result<Value> object_of(std::string_view json) {
    const auto root = Value::parse(json, message_bytes_max);
    if (!root) return root;
    if (root->kind() != Kind::object) return std::unexpected{Fault::bad_input};
    return root;
}

// Top-level numbers that are not channels.
constexpr std::array<std::string_view, 5> reserved = {
    "timeStamp", "boot", "seq", "inference", "threshold"
};

template <typename T>
Result<T> finished(const Reader& reader, bool complete, const T& value) {
    if (!reader.good() || !complete) return std::unexpected{Fault::bad_input};
    return value;
}

Result<DeviceEvent> read_what(Reader& reader, DeviceEvent& event, std::string_view kind) {
    bool complete = true;
    if (kind == "started") {
        StartedEvent started;
        reader.text("firmware", started.firmware);
        reader.text("model", started.model);
        reader.text("cause", started.cause);
        event.what = started;
    } else if (kind == "model") {
        ModelEvent model;
        complete = reader.word("state", model_state_names, model.state);
        reader.text("model", model.model);
        reader.whole("release", model.release);
        reader.text("reason", model.reason);
        event.what = model;
    } else if (kind == "action") {
        ActionEvent action;
        complete = reader.word("state", action_state_names, action.state);
        reader.text("command", action.command);
        reader.text("commandID", action.command_id);
        reader.text("reason", action.reason);
        reader.whole("valve_degrees", action.valve_degrees);
        reader.optional_number("flow_l_per_min", action.flow_l_per_min);
        event.what = action;
    } else if (kind == "gap") {
        GapEvent gap;
        complete = reader.whole("from", gap.from) && reader.whole("to", gap.to);
        reader.text("reason", gap.reason);
        event.what = gap;
    } else if (kind == "sensor-fault") {
        SensorEvent sensor;
        complete = reader.text("channel", sensor.channel) &&
                   reader.word("fault", sensor_fault_names, sensor.fault);
        event.what = sensor;
    } else if (kind == "firmware") {
        FirmwareEvent firmware;
        complete = reader.word("state", model_state_names, firmware.state);
        reader.text("file", firmware.file);
        reader.text("version", firmware.version);
        reader.whole("release", firmware.release);
        reader.text("reason", firmware.reason);
        event.what = firmware;
    } else {
        return std::unexpected{Fault::not_found};  // a kind of a later release
    }
    return finished(reader, complete, event);
}

}  // namespace

std::optional<float> find(const Values& values, std::string_view name) {
    for (const auto& value : values)
        if (value.name.view() == name) return value.value;
    return std::nullopt;
}

Result<std::uint32_t> read_hex32(std::string_view text) {
    if (text.size() != 8) return std::unexpected{Fault::bad_input};
    std::uint32_t value = 0;
    for (const char c : text) {
        const auto digit = std::string_view{"0123456789abcdef"}.find(c);
        if (digit == std::string_view::npos) return std::unexpected{Fault::bad_input};
        value = value << 4U | static_cast<std::uint32_t>(digit);
    }
    return value;
}

Result<Telemetry> decode_telemetry(std::string_view json) {
    const auto root = object_of(json);
    if (!root) return std::unexpected{root.error()};
    Reader reader{*root};
    Telemetry telemetry;
    const bool complete = reader.id("deviceID", telemetry.device);
    reader.channels(telemetry.channels, reserved);
    reader.values("features", telemetry.features);
    Word filtered = "true";
    if (root->member("fft_data") && root->member("fft_data")->kind() == Kind::boolean)
        reader.boolean("fft_data", telemetry.filtered);
    else if (reader.text("fft_data", filtered))
        telemetry.filtered = filtered.view() == "true";
    std::int64_t time = 0;
    if (reader.time(time)) telemetry.time_unix_ms = time;
    reader.optional_whole("boot", telemetry.boot);
    reader.optional_whole("seq", telemetry.seq);
    Word clock;
    if (reader.text("clock", clock)) telemetry.clock_synced = clock.view() == "synced";
    Hex32 feature_set;
    if (reader.text("featureSet", feature_set)) {
        const auto hash = read_hex32(feature_set.view());
        if (!hash) return std::unexpected{hash.error()};
        telemetry.feature_set = *hash;
    }
    reader.optional_number("inference", telemetry.inference);
    reader.optional_number("threshold", telemetry.threshold);
    reader.boolean("alarm", telemetry.alarm);
    reader.text("model", telemetry.model);
    reader.text("firmware", telemetry.firmware);
    reader.text("event", telemetry.event);
    return finished(reader, complete, telemetry);
}

Result<Command> decode_command(std::string_view json) {
    const auto root = object_of(json);
    if (!root) return std::unexpected{root.error()};
    Reader reader{*root};
    Command command;
    base::FixedString<64> word;
    const bool complete = reader.text("command", word);
    command.order = order_names.value(word.view()).value_or(Order::unknown);
    if (command.order != Order::unknown) reader.text("payload", command.payload);
    return finished(reader, complete, command);
}

Result<Alert> decode_alert(std::string_view json) {
    const auto root = object_of(json);
    if (!root) return std::unexpected{root.error()};
    Reader reader{*root};
    Alert alert;
    const bool complete = reader.id("deviceID", alert.device) && reader.time(alert.time_unix_ms) &&
                          reader.number("inference", alert.inference) &&
                          reader.word("severity", severity_names, alert.severity);
    reader.number("threshold", alert.threshold);
    alert.alarm = alert.severity != Severity::none;
    reader.boolean("alarm", alert.alarm);
    reader.text("model", alert.model);
    reader.values("contributions", alert.contributions);
    reader.text("suspected", alert.suspected);
    reader.text("evidence", alert.evidence);
    reader.id("sourceID", alert.source);
    reader.whole("boot", alert.boot);
    reader.whole("seq", alert.seq);
    return finished(reader, complete, alert);
}

Result<DeviceEvent> decode_event(std::string_view json) {
    const auto root = object_of(json);
    if (!root) return std::unexpected{root.error()};
    Reader reader{*root};
    DeviceEvent event;
    Word kind;
    const bool complete = reader.id("deviceID", event.device) && reader.text("event", kind);
    reader.time(event.time_unix_ms);
    reader.whole("boot", event.boot);
    reader.whole("seq", event.seq);
    if (!reader.good() || !complete) return std::unexpected{Fault::bad_input};
    return read_what(reader, event, kind.view());
}

Result<StoredMark> decode_stored(std::string_view json) {
    const auto root = object_of(json);
    if (!root) return std::unexpected{root.error()};
    Reader reader{*root};
    StoredMark mark;
    const bool complete = reader.whole("boot", mark.boot) && reader.whole("seq", mark.seq);
    reader.boolean("hold", mark.hold);
    return finished(reader, complete, mark);
}

Result<Presence> decode_presence(std::string_view json) {
    const auto root = object_of(json);
    if (!root) return std::unexpected{root.error()};
    Reader reader{*root};
    Presence presence;
    Word state;
    const bool complete = reader.id("deviceID", presence.device) && reader.text("state", state) &&
                          (state.view() == "online" || state.view() == "offline");
    presence.online = state.view() == "online";
    reader.time(presence.time_unix_ms);
    reader.text("reason", presence.reason);
    return finished(reader, complete, presence);
}

Result<Id> decode_device(std::string_view json) {
    const auto root = object_of(json);
    if (!root) return std::unexpected{root.error()};
    Reader reader{*root};
    Id device;
    reader.id("deviceID", device);
    return finished(reader, true, device);
}

Result<Head> decode_head(std::string_view json) {
    const auto root = object_of(json);
    if (!root) return std::unexpected{root.error()};
    Reader reader{*root};
    Head head;
    reader.id("deviceID", head.device);
    reader.optional_whole("boot", head.boot);
    reader.optional_whole("seq", head.seq);
    const auto event = root->member("event");
    if (event && event->kind() == Kind::string) static_cast<void>(event->text(head.event));
    std::int64_t time = 0;
    head.has_time = reader.time(time);
    const auto alarm = root->boolean("alarm");
    head.alarm = alarm && *alarm;
    return finished(reader, true, head);
}

}  // namespace stator::wire
