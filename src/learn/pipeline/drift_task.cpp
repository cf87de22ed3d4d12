#include "learn/pipeline/pipeline.h"

#include <fmt/format.h>

namespace stator::pipeline {

using runs::Use;

Outcome<std::string> look_for_drift(
    doors::Doors& doors,
    runs::Runs& runs,
    const asset::Asset& asset,
    const Options& options,
    const std::string& raw_name
) {
    const std::string id{asset.id.view()};
    auto extracted = extract::extract(doors, runs, asset, options.extract, raw_name);
    if (!extracted) return std::unexpected(extracted.error());
    doors.journal.info(
        "learn",
        fmt::format(
            "{}: {} rows may train, {} wait for a verdict, {} are of confirmed faults",
            id,
            extracted->fresh,
            extracted->held,
            extracted->fault
        )
    );
    if (extracted->alarm_lasts) {
        doors.journal.info("learn", id + ": an alarm lasts, nothing is learnt until it ends");
        return std::string{};
    }
    auto awaited = runs.awaited(id);
    if (!awaited) return std::unexpected(awaited.error());
    if (extracted->data_set.empty() || !awaited->empty()) return std::string{};

    auto reference = runs.rows(id, Use::reference);
    if (!reference) return std::unexpected(reference.error());
    auto fresh = runs.rows(id, Use::fresh);
    if (!fresh) return std::unexpected(fresh.error());
    const drift::Finding finding = drift::compare(asset, *reference, *fresh, options.drift);
    doors.journal.info("learn", finding.text);
    if (auto done = runs.set_last_drift(finding.text); !done) return std::unexpected(done.error());
    switch (finding.kind) {
        case drift::Kind::commissioning:
        case drift::Kind::drifted:
            return extracted->data_set;
        case drift::Kind::unsettled:
            fresh->resize(fresh->size() / 2);
            [[fallthrough]];
        case drift::Kind::none:
            if (auto done = runs.set_use(id, *fresh, Use::kept); !done)
                return std::unexpected(done.error());
            if (auto done = runs.trim(id, Use::kept, options.kept_max); !done)
                return std::unexpected(done.error());
            return std::string{};
        case drift::Kind::too_few:
            return std::string{};
    }
    return std::string{};
}

}  // namespace stator::pipeline
