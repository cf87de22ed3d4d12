#include "learn/pipeline/material.h"

#include "learn/evaluate/evaluate.h"

#include <algorithm>

namespace stator::pipeline {

Split split(const std::vector<runs::Row>& rows) {
    const auto cut = rows.begin() + static_cast<std::ptrdiff_t>(rows.size() - rows.size() / 4);
    return {.train = {rows.begin(), cut}, .unseen = {cut, rows.end()}};
}

Outcome<Material> material_of(
    doors::Doors& doors, runs::Runs& runs, const Options& options, const std::string& data_set
) {
    auto known = runs.data_set(data_set);
    if (!known) return std::unexpected(known.error());
    if (!*known)
        return fail(
            base::Fault::bad_input,
            data_set + " was not made here: its constants are not known, extract it again"
        );
    Material made;
    made.data_set = **known;
    const auto found = std::ranges::find(
        options.assets, made.data_set.asset, [](const asset::Asset& a) { return a.id.view(); }
    );
    if (found == options.assets.end())
        return fail(
            base::Fault::bad_input, data_set + " is of an unknown asset, " + made.data_set.asset
        );
    made.asset = &*found;
    artifacts::Artifacts registry{doors.http, options.extract.registry};
    auto csv = registry.normalised(data_set);
    if (!csv) return std::unexpected(csv.error());
    auto labelled = extract::read_normalised(*csv, *made.asset, made.data_set);
    if (!labelled) return std::unexpected(labelled.error());
    auto [train, unseen] = split(labelled->healthy);
    made.train = std::move(train);
    made.unseen = std::move(unseen);
    auto reference = runs.rows(made.data_set.asset, runs::Use::reference);
    if (!reference) return std::unexpected(reference.error());
    made.reference = std::move(*reference);
    // From the book, not from the CSV: there the rows have their times.
    auto faults = runs.rows(made.data_set.asset, runs::Use::fault);
    if (!faults) return std::unexpected(faults.error());
    made.faults = evaluate::stretches(*faults);
    if (!made.faults.empty()) made.faults.pop_back();
    return made;
}

}  // namespace stator::pipeline
