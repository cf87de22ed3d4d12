#include "store/rollouts/rollouts.h"

#include <string>

namespace stator::rollouts {

namespace {

constexpr std::string_view schema =
    "CREATE TABLE IF NOT EXISTS rollouts (model TEXT PRIMARY KEY, class TEXT NOT NULL,"
    " level INTEGER NOT NULL, release INTEGER NOT NULL, state INTEGER NOT NULL,"
    " reason TEXT NOT NULL, start_unix_ms INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS progress (model TEXT NOT NULL, device TEXT NOT NULL,"
    " state TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (model, device));";

std::optional<Rollout> first_of(const std::vector<Rollout>& found) {
    return found.empty() ? std::nullopt : std::optional{found.front()};
}

}  // namespace

Outcome<std::unique_ptr<Rollouts>> Rollouts::open(doors::Doors& doors, const std::string& file) {
    auto database = doors.databases.open(
        file, database::Access::write, std::string{schema} + std::string{stream::Outbox::schema}
    );
    if (!database) return std::unexpected(database.error());
    return std::unique_ptr<Rollouts>{new Rollouts{std::move(*database)}};
}

Outcome<std::vector<Rollout>> Rollouts::select(
    const std::string& where, const std::vector<database::Value>& parameters
) {
    auto rows = database_->query(
        "SELECT model, class, level, release, state, reason, start_unix_ms FROM rollouts " + where,
        parameters
    );
    if (!rows) return std::unexpected(rows.error());
    std::vector<Rollout> made;
    for (const database::Row& row : *rows)
        made.push_back(
            {.model = row.text(0),
             .device_class = row.text(1),
             .level = static_cast<int>(row.integer(2)),
             .release = row.integer(3),
             .state = static_cast<State>(row.integer(4)),
             .reason = row.text(5),
             .start_unix_ms = row.integer(6)}
        );
    return made;
}

Outcome<std::optional<Rollout>> Rollouts::find(const std::string& model) {
    auto found = select("WHERE model = ?", {model});
    if (!found) return std::unexpected(found.error());
    return first_of(*found);
}

Outcome<std::optional<Rollout>> Rollouts::newest(const std::string& device_class, int level) {
    auto found = select(
        "WHERE class = ? AND level = ? ORDER BY release DESC LIMIT 1",
        {device_class, static_cast<std::int64_t>(level)}
    );
    if (!found) return std::unexpected(found.error());
    return first_of(*found);
}

Outcome<std::vector<Rollout>> Rollouts::all() {
    return select("ORDER BY start_unix_ms", {});
}

Outcome<void> Rollouts::save(const Rollout& rollout) {
    return database_->execute(
        "INSERT INTO rollouts (model, class, level, release, state, reason, start_unix_ms)"
        " VALUES (?,?,?,?,?,?,?) ON CONFLICT(model) DO UPDATE SET state=excluded.state,"
        " reason=excluded.reason",
        {rollout.model,
         rollout.device_class,
         static_cast<std::int64_t>(rollout.level),
         rollout.release,
         static_cast<std::int64_t>(rollout.state),
         rollout.reason,
         rollout.start_unix_ms}
    );
}

Outcome<std::vector<Progress>> Rollouts::progress(const std::string& model) {
    auto rows = database_->query(
        "SELECT device, state, reason FROM progress WHERE model = ? ORDER BY device", {model}
    );
    if (!rows) return std::unexpected(rows.error());
    std::vector<Progress> made;
    for (const database::Row& row : *rows)
        made.push_back({.device = row.text(0), .state = row.text(1), .reason = row.text(2)});
    return made;
}

Outcome<void> Rollouts::set_progress(const std::string& model, const Progress& progress) {
    return database_->execute(
        "INSERT INTO progress (model, device, state, reason) VALUES (?,?,?,?)"
        " ON CONFLICT(model, device) DO UPDATE SET state=excluded.state, reason=excluded.reason",
        {model, progress.device, progress.state, progress.reason}
    );
}

}  // namespace stator::rollouts
