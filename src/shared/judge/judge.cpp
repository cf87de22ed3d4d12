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

bool features_of(
    const wire::Telemetry& telemetry,
    const asset::Asset& asset,
    std::array<float, asset::features_max>& into
) {
    for (std::size_t i = 0; i < asset.features.size(); ++i) {
        const auto name = asset::feature_name(asset, i);
        auto value = wire::find(telemetry.channels, name);
        if (!value) value = wire::find(telemetry.features, name);
        if (!value) return false;
        into[i] = *value;
    }
    return true;
}

bool is_known(const Memory& memory, const wire::Telemetry& telemetry) {
    const std::uint32_t boot = telemetry.boot.value_or(0);
    const std::uint64_t seq = telemetry.seq.value_or(0);
    return seq != 0 && (boot < memory.boot || (boot == memory.boot && seq <= memory.seq));
}

void take_model(Memory& memory, const Model& model) {
    if (memory.model.view() == model.name) return;
    if (!model.keep_state) memory.fold = {};
    memory.model = model.name;
}

bool must_withdraw(const Memory& memory, const Model& model) {
    return memory.fold.alarm && !model.keep_state && memory.model.view() != model.name;
}

Judgement judge(
    Memory& memory,
    const wire::Telemetry& telemetry,
    const asset::Asset& asset,
    const Model& model,
    std::int64_t received_unix_ms
) {
    Judgement made;
    if (is_known(memory, telemetry)) {
        made.finding = Finding::known;
        return made;
    }
    memory.boot = telemetry.boot.value_or(0);
    memory.seq = telemetry.seq.value_or(0);
    take_model(memory, model);
    std::array<float, asset::features_max> features{};
    if (!features_of(telemetry, asset, features)) {
        made.finding = Finding::incomplete;
        return made;
    }
    made.verdict = detect::step(
        memory.fold, std::span{features}.first(asset.features.size()), model.fold, model.network
    );
    made.time_unix_ms = telemetry.time_unix_ms.value_or(received_unix_ms);
    made.alert_due = alert_due(memory, made.verdict, made.time_unix_ms);
    if (!made.alert_due) return made;
    memory.alerted_unix_ms = made.time_unix_ms;
    if (made.verdict.alarm)
        made.suspicion = suspect::suspect(asset, detect::deviation_sd(memory.fold, model.fold));
    return made;
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
