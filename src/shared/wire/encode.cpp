#include "shared/wire/decimal.h"
#include "shared/wire/json.h"
#include "shared/wire/messages.h"
#include "shared/wire/names.h"

#include <bit>

namespace stator::wire {
namespace {

// The contract writes times as strings.
void write_time(Writer& writer, std::int64_t unix_ms) {
    char digits[number_chars_max];
    writer.member("timeStamp", write_integer(unix_ms, digits));
}

void write_values(Writer& writer, std::string_view name, const Values& values) {
    writer.key(name).begin_object();
    for (const auto& value : values)
        writer.member(value.name.view(), value.value);
    writer.end_object();
}

void write_what(Writer& writer, const StartedEvent& started) {
    writer.member("firmware", started.firmware.view()).member("model", started.model.view());
    if (!started.cause.empty()) writer.member("cause", started.cause.view());
}

void write_what(Writer& writer, const ModelEvent& model) {
    writer.member("state", name_of(model.state))
        .member("model", model.model.view())
        .member("release", model.release)
        .member("reason", model.reason.view());
}

void write_what(Writer& writer, const ActionEvent& action) {
    writer.member("command", action.command.view())
        .member("commandID", action.command_id.view())
        .member("state", name_of(action.state))
        .member("reason", action.reason.view())
        .member("valve_degrees", action.valve_degrees);
    if (action.flow_l_per_min) writer.member("flow_l_per_min", *action.flow_l_per_min);
}

void write_what(Writer& writer, const GapEvent& gap) {
    writer.member("from", gap.from).member("to", gap.to).member("reason", gap.reason.view());
}

void write_what(Writer& writer, const SensorEvent& sensor) {
    writer.member("channel", sensor.channel.view()).member("fault", name_of(sensor.fault));
}

void write_what(Writer& writer, const FirmwareEvent& firmware) {
    writer.member("state", name_of(firmware.state))
        .member("file", firmware.file.view())
        .member("version", firmware.version.view())
        .member("release", firmware.release)
        .member("reason", firmware.reason.view());
}

template <typename What>
bool write_if(Writer& writer, const DeviceEvent& event) {
    const auto* what = std::get_if<What>(&event.what);
    if (what == nullptr) return false;
    write_what(writer, *what);
    return true;
}

}  // namespace

std::string_view name_of(Severity severity) {
    return severity_names.name(severity);
}

std::string_view name_of(ModelState state) {
    return model_state_names.name(state);
}

std::string_view name_of(ActionState state) {
    return action_state_names.name(state);
}

std::string_view name_of(SensorFault fault) {
    return sensor_fault_names.name(fault);
}

std::string_view kind_of(const DeviceEvent& event) {
    return event_kinds[event.what.index()];
}

Hex32 write_hex32(std::uint32_t value) {
    Hex32 text;
    for (unsigned shift = 32; shift > 0; shift -= 4)
        static_cast<void>(
            text.append(std::string_view{"0123456789abcdef"}.substr(value >> (shift - 4) & 15U, 1))
        );
    return text;
}

Json encode(const Telemetry& telemetry, std::span<char> into) {
    Writer writer{into};
    writer.begin_object().member("deviceID", telemetry.device.view());
    for (const auto& channel : telemetry.channels)
        writer.member(channel.name.view(), channel.value);
    writer.member("fft_data", telemetry.filtered ? "true" : "false");
    if (telemetry.time_unix_ms) write_time(writer, *telemetry.time_unix_ms);
    if (telemetry.boot) writer.member("boot", *telemetry.boot);
    if (telemetry.seq) writer.member("seq", *telemetry.seq);
    if (telemetry.boot) writer.member("clock", telemetry.clock_synced ? "synced" : "free");
    if (!telemetry.features.empty()) write_values(writer, "features", telemetry.features);
    if (telemetry.feature_set)
        writer.member("featureSet", write_hex32(*telemetry.feature_set).view());
    if (telemetry.inference)
        writer.member("inference", *telemetry.inference).member("alarm", telemetry.alarm);
    if (telemetry.threshold) writer.member("threshold", *telemetry.threshold);
    if (telemetry.boot) writer.member("model", telemetry.model.view());
    if (!telemetry.firmware.empty()) writer.member("firmware", telemetry.firmware.view());
    if (!telemetry.event.empty()) writer.member("event", telemetry.event.view());
    return writer.end_object().finish();
}

Json encode(const Command& command, std::span<char> into) {
    Writer writer{into};
    writer.begin_object().member("command", order_names.name(command.order));
    return writer.member("payload", command.payload.view()).end_object().finish();
}

Json encode(const Alert& alert, std::span<char> into) {
    Writer writer{into};
    writer.begin_object().member("deviceID", alert.device.view());
    write_time(writer, alert.time_unix_ms);
    writer.member("inference", alert.inference)
        .member("severity", name_of(alert.severity))
        .member("threshold", alert.threshold)
        .member("alarm", alert.alarm)
        .member("model", alert.model.view());
    write_values(writer, "contributions", alert.contributions);
    if (!alert.suspected.empty()) writer.member("suspected", alert.suspected.view());
    if (!alert.evidence.empty()) writer.member("evidence", alert.evidence.view());
    if (!alert.source.empty()) writer.member("sourceID", alert.source.view());
    return writer.member("boot", alert.boot).member("seq", alert.seq).end_object().finish();
}

Json encode(const DeviceEvent& event, std::span<char> into) {
    Writer writer{into};
    writer.begin_object().member("deviceID", event.device.view());
    write_time(writer, event.time_unix_ms);
    writer.member("boot", event.boot).member("seq", event.seq).member("event", kind_of(event));
    static_cast<void>(
        write_if<StartedEvent>(writer, event) || write_if<ModelEvent>(writer, event) ||
        write_if<ActionEvent>(writer, event) || write_if<GapEvent>(writer, event) ||
        write_if<SensorEvent>(writer, event) || write_if<FirmwareEvent>(writer, event)
    );
    return writer.end_object().finish();
}

Json encode(const Waveform& waveform, std::span<char> into) {
    static_assert(std::endian::native == std::endian::little);  // as the message says
    if (waveform.counts.size() > waveform_samples_max) return std::unexpected{base::Fault::full};
    Writer writer{into};
    writer.begin_object().member("deviceID", waveform.device.view());
    write_time(writer, waveform.time_unix_ms);
    writer.member("boot", waveform.boot)
        .member("seq", waveform.seq)
        .member("clock", waveform.clock_synced ? "synced" : "free")
        .member("channel", waveform.channel.view())
        .member("unit", waveform.unit.view())
        .member("rate_hz", waveform.rate_hz)
        .member("cause", waveform_cause_names.name(waveform.cause))
        .member("zero", waveform.zero)
        .member("scale", waveform.scale)
        .member("offset", waveform.offset)
        .member("samples", waveform.counts.size())
        .key("counts")
        .base64(std::as_bytes(waveform.counts));
    return writer.end_object().finish();
}

Json encode(const StoredMark& mark, std::span<char> into) {
    Writer writer{into};
    writer.begin_object().member("boot", mark.boot).member("seq", mark.seq);
    return writer.member("hold", mark.hold).end_object().finish();
}

Json encode(const Presence& presence, std::span<char> into) {
    Writer writer{into};
    writer.begin_object().member("deviceID", presence.device.view());
    write_time(writer, presence.time_unix_ms);
    writer.member("state", presence.online ? "online" : "offline");
    return writer.member("reason", presence.reason.view()).end_object().finish();
}

}  // namespace stator::wire
