// What the gate counts, in the words of its metrics.
#include "transport/gate/gate.h"
#include "world/metrics/metrics.h"

namespace stator::gate {

std::string Gate::metrics_text() const {
    metrics::Metrics metrics;
    for (std::size_t i = 0; i < log::class_count; ++i)
        metrics.add(
            "stator_gate_messages_accepted_total",
            static_cast<double>(counts_.accepted[i]),
            metrics::label("class", log::name_of(static_cast<log::Class>(i)))
        );
    for (std::size_t i = 0; i < refusal_count; ++i)
        metrics.add(
            "stator_gate_refusals_total",
            static_cast<double>(counts_.refused[i]),
            metrics::label("reason", name_of(static_cast<Refusal>(i)))
        );
    const auto count = [&](std::string_view name, std::uint64_t value) {
        metrics.add(name, static_cast<double>(value));
    };
    count("stator_gate_connects_total", counts_.connects);
    count("stator_gate_syncs_total", counts_.syncs);
    count("stator_gate_syncs_failed_total", counts_.syncs_failed);
    count("stator_gate_marks_sent_total", counts_.marks_sent);
    count("stator_gate_disconnects_total", counts_.kicked);
    metrics.set("stator_gate_connections_count", static_cast<double>(handles_.size()));
    metrics.set("stator_gate_holding_flag", holding_ ? 1.0 : 0.0);
    metrics.set(
        "stator_gate_rights_generation_count", static_cast<double>(rights_.rights().generation)
    );
    metrics.set("stator_gate_log_fill_ratio", storage_.fill(log::Class::telemetry));
    return metrics.render();
}

}  // namespace stator::gate
