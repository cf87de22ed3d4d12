#include "learn/pipeline/pipeline.h"
#include "shared/wire/messages.h"

#include <fmt/format.h>

#include <array>

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

Outcome<void> announce_training(
    runs::Runs& runs, const Options& options, const std::string& asset, const std::string& data_set
) {
    if (auto done = runs.set_awaited(asset, data_set); !done) return done;
    wire::Command command;
    command.order = wire::Order::train_model;
    if (!command.payload.assign(data_set))
        return fail(base::Fault::bad_input, data_set + " does not fit a command");
    std::array<char, wire::message_bytes_max> buffer{};
    const auto json = wire::encode(command, buffer);
    if (!json) return fail(json.error(), data_set + " does not fit a command");
    return stream::Outbox::enqueue(runs.database(), options.control_topic, std::string{*json});
}

}  // namespace stator::pipeline
