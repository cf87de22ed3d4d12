#include "learn/extract/extract.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace stator::extract {

namespace {

using runs::Row;
using runs::Use;

constexpr std::int64_t forever = std::numeric_limits<std::int64_t>::max();

Outcome<std::vector<alarms::Episode>> episodes_of(
    doors::Doors& doors, const Config& config, const asset::Asset& asset
) {
    if (config.alarms_file.empty()) return std::vector<alarms::Episode>{};
    auto book = alarms::Alarms::open(doors, config.alarms_file, database::Access::read_only);
    if (!book) {
        // Before the first start of the console there is no file, hence no alarm either.
        if (book.error().fault == base::Fault::not_found) return std::vector<alarms::Episode>{};
        return std::unexpected(book.error());
    }
    auto all = (*book)->touching(0, forever);
    if (!all) return std::unexpected(all.error());
    std::erase_if(*all, [&](const alarms::Episode& episode) {
        return episode.device != asset.device.view() || (episode.level != 1 && episode.level != 2);
    });
    return std::move(*all);
}

// What each row may be used for, by the episodes it lies in. `rows` in order of time.
std::vector<Use> judge(
    const std::vector<Row>& rows, const std::vector<alarms::Episode>& episodes, std::size_t guard
) {
    std::vector<Use> uses(rows.size(), Use::fresh);
    for (const alarms::Episode& episode : episodes) {
        if (episode.verdict == "false") continue;
        const std::int64_t end = episode.end_unix_ms == 0 ? forever : episode.end_unix_ms;
        const auto at = [&](std::int64_t time) {
            return static_cast<std::size_t>(
                std::ranges::lower_bound(rows, time, {}, &Row::time_unix_ms) - rows.begin()
            );
        };
        const std::size_t first = at(episode.start_unix_ms);
        std::size_t i = first - std::min(first, guard);
        for (; i < rows.size() && rows[i].time_unix_ms <= end; ++i) {
            const bool inside = i >= first;
            const Use use = inside && episode.verdict == "true" ? Use::fault : Use::held;
            if (use == Use::fault || uses[i] == Use::fresh) uses[i] = use;
        }
    }
    return uses;
}

// Every row that is not settled yet gets its use anew: verdicts change.
Outcome<void> reclassify(
    runs::Runs& runs,
    const asset::Asset& asset,
    const std::vector<alarms::Episode>& episodes,
    const Config& config
) {
    const std::string id{asset.id.view()};
    std::vector<Row> all;
    std::vector<std::pair<std::int64_t, Use>> before;
    for (const Use use : {Use::fresh, Use::held, Use::fault}) {
        auto rows = runs.rows(id, use);
        if (!rows) return std::unexpected(rows.error());
        for (Row& row : *rows) {
            before.emplace_back(row.time_unix_ms, use);
            all.push_back(std::move(row));
        }
    }
    std::ranges::sort(all, {}, &Row::time_unix_ms);
    std::ranges::sort(before);
    const std::vector<Use> after = judge(all, episodes, config.guard_rows);
    for (const Use use : {Use::fresh, Use::held, Use::fault}) {
        std::vector<Row> changed;
        for (std::size_t i = 0; i < all.size(); ++i)
            if (after[i] == use && before[i].second != use)
                changed.push_back({.time_unix_ms = all[i].time_unix_ms, .features = {}});
        if (auto done = runs.set_use(id, changed, use); !done) return done;
        if (auto done = runs.trim(id, use, config.rows_max); !done) return done;
    }
    return {};
}

Outcome<void> take_in(
    runs::Runs& runs,
    const asset::Asset& asset,
    const Config& config,
    const std::string& raw_name,
    const std::vector<Row>& rows,
    const std::vector<alarms::Episode>& episodes
) {
    auto transaction = database::Transaction::begin(runs.database());
    if (!transaction) return std::unexpected(transaction.error());
    if (auto done = runs.add_rows(std::string{asset.id.view()}, raw_name, rows); !done) return done;
    if (auto done = reclassify(runs, asset, episodes, config); !done) return done;
    return transaction->commit();
}

Outcome<std::string> upload(
    artifacts::Artifacts& registry, std::int64_t unix_ms, const std::string& content
) {
    constexpr int tries_max = 20;
    for (int i = 0; i < tries_max; ++i) {
        std::string name = artifacts::data_set_name(unix_ms + i);
        const auto sent = registry.upload_normalised(name, content);
        if (sent) return name;
        if (sent.error().fault != base::Fault::exists) return std::unexpected(sent.error());
    }
    return fail(base::Fault::again, "no free name for a normalised CSV; is the clock right?");
}

}  // namespace

Outcome<Result> extract(
    doors::Doors& doors,
    runs::Runs& runs,
    const asset::Asset& asset,
    const Config& config,
    const std::string& raw_name
) {
    const std::string id{asset.id.view()};
    artifacts::Artifacts registry{doors.http, config.registry};
    auto csv = registry.raw(raw_name);
    if (!csv) return std::unexpected(csv.error());
    auto rows = rows_of(*csv, asset);
    if (!rows) return fail(rows.error().fault, raw_name + ": " + rows.error().what);
    auto episodes = episodes_of(doors, config, asset);
    if (!episodes) return std::unexpected(episodes.error());
    if (auto done = take_in(runs, asset, config, raw_name, *rows, *episodes); !done)
        return std::unexpected(done.error());

    auto fresh = runs.rows(id, Use::fresh);
    if (!fresh) return std::unexpected(fresh.error());
    auto held = runs.rows(id, Use::held);
    if (!held) return std::unexpected(held.error());
    auto fault = runs.rows(id, Use::fault);
    if (!fault) return std::unexpected(fault.error());
    Result result{
        .data_set = {},
        .fresh = fresh->size(),
        .held = held->size(),
        .fault = fault->size(),
        .alarm_lasts = std::ranges::any_of(
            *episodes,
            [](const alarms::Episode& episode) {
                return episode.end_unix_ms == 0 && episode.verdict != "false";
            }
        )
    };
    if (result.fresh < config.rows_min || result.alarm_lasts) return result;
    const Constants constants = constants_of(*fresh, asset.features.size());
    auto name =
        upload(registry, doors.clock.unix_ms(), normalised_csv(asset, constants, *fresh, *fault));
    if (!name) return std::unexpected(name.error());
    result.data_set = *name;
    const runs::DataSet data_set{
        .name = *name,
        .asset = id,
        .mean = constants.mean,
        .sd = constants.sd,
        .until_unix_ms = fresh->back().time_unix_ms
    };
    if (auto done = runs.save(data_set); !done) return std::unexpected(done.error());
    return result;
}

}  // namespace stator::extract
