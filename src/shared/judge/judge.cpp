#include "shared/judge/judge.h"

#include <span>

namespace stator::judge {

namespace {

wire::Severity severity_of(const Bands& bands, float value) {
    if (value >= bands.imminent) return wire::Severity::imminent;
    return value >= bands.potential ? wire::Severity::potential : wire::Severity::none;
}

bool alert_due(const Memory& memory, const detect::Verdict& verdict, std::int64_t time_unix_ms) {
    if (!verdict.ready) return false;
    if (verdict.raised || verdict.cleared) return true;
    // A device's clock that was set back must not silence it.
    return verdict.alarm && (time_unix_ms - memory.alerted_unix_ms >= alert_interval_ms ||
                             time_unix_ms < memory.alerted_unix_ms);
}

}  // namespace

std::optional<Reading> reading_of(
    const wire::Telemetry& telemetry, const asset::Asset& asset, std::int64_t received_unix_ms
) {
    Reading made;
    made.feature_count = asset.features.size();
    made.time_unix_ms = telemetry.time_unix_ms.value_or(received_unix_ms);
    for (std::size_t i = 0; i < made.feature_count; ++i) {
        const auto name = asset::feature_name(asset, i);
        auto value = wire::find(telemetry.channels, name);
        if (!value) value = wire::find(telemetry.features, name);
        if (!value) return std::nullopt;
        made.features[i] = *value;
    }
    return made;
}

void take_model(Memory& memory, const Model& model) {
    if (memory.model.view() == model.name) return;
    if (!model.keep_state) memory.fold = {};
    memory.model = model.name;
}

bool must_withdraw(const Memory& memory, const Model& model) {
    return memory.fold.alarm && !model.keep_state && memory.model.view() != model.name;
}

void begin(Memory& memory, const Reading& reading, const Model& model, detect::Pending& pending) {
    take_model(memory, model);
    detect::begin(
        memory.fold, std::span{reading.features}.first(reading.feature_count), model.fold, pending
    );
}

Judgement finish(
    Memory& memory,
    const Reading& reading,
    const asset::Asset& asset,
    const Model& model,
    const detect::Pending& pending,
    float value
) {
    Judgement made;
    made.verdict = detect::finish(memory.fold, pending, value, model.fold);
    made.alert_due = alert_due(memory, made.verdict, reading.time_unix_ms);
    if (!made.alert_due) return made;
    memory.alerted_unix_ms = reading.time_unix_ms;
    if (made.verdict.alarm)
        made.suspicion = suspect::suspect(asset, detect::deviation_sd(memory.fold, model.fold));
    return made;
}

Judgement judge(
    Memory& memory, const Reading& reading, const asset::Asset& asset, const Model& model
) {
    detect::Pending pending;
    begin(memory, reading, model, pending);
    float value = 0.0F;
    if (pending.asks) {
        const std::size_t inputs = model.fold.feature_count * model.fold.window_count;
        model.network.run(
            model.network.self, std::span{pending.input}.first(inputs), std::span{&value, 1}
        );
    }
    return finish(memory, reading, asset, model, pending, value);
}

wire::Alert alert_of(
    const detect::Verdict& verdict,
    const asset::Asset& asset,
    const Bands& bands,
    std::string_view model,
    float threshold,
    suspect::Suspicion suspicion
) {
    wire::Alert alert;
    alert.inference = verdict.value;
    alert.severity = verdict.alarm ? severity_of(bands, verdict.value) : wire::Severity::none;
    alert.threshold = threshold;
    alert.alarm = verdict.alarm;
    alert.model = model;
    alert.suspected = suspect::name_of(suspicion);
    alert.evidence = suspect::evidence_of(suspicion).view();
    for (std::size_t i = 0; i < asset.features.size(); ++i)
        if (verdict.contribution[i] > 0.0F &&
            !alert.contributions.push_back(
                {.name = asset::feature_name(asset, i).view(), .value = verdict.contribution[i]}
            ))
            break;
    return alert;
}

}  // namespace stator::judge
