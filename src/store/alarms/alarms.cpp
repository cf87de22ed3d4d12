#include "store/alarms/alarms.h"

#include "world/json/json.h"

namespace stator::alarms {

using nlohmann::json;

namespace {

constexpr std::string_view schema =
    "CREATE TABLE IF NOT EXISTS episodes (id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " device TEXT NOT NULL, level INTEGER NOT NULL, severity TEXT NOT NULL,"
    " start_unix_ms INTEGER NOT NULL, end_unix_ms INTEGER NOT NULL, peak REAL NOT NULL,"
    " model TEXT NOT NULL, verdict TEXT NOT NULL, note TEXT NOT NULL, who TEXT NOT NULL,"
    " acknowledged INTEGER NOT NULL, contributions TEXT NOT NULL);"
    "CREATE UNIQUE INDEX IF NOT EXISTS lasting ON episodes (device, level) WHERE end_unix_ms = 0;"
    "CREATE INDEX IF NOT EXISTS times ON episodes (start_unix_ms);"
    "CREATE TABLE IF NOT EXISTS places (source TEXT PRIMARY KEY, boot INTEGER NOT NULL,"
    " seq INTEGER NOT NULL);"
    // Beside the episodes, whose table older sites have.
    "CREATE TABLE IF NOT EXISTS causes (episode INTEGER PRIMARY KEY, suspected TEXT NOT NULL,"
    " evidence TEXT NOT NULL);";

Episode episode_of(const database::Row& row) {
    Episode episode;
    episode.id = row.integer(0);
    episode.device = row.text(1);
    episode.level = static_cast<int>(row.integer(2));
    episode.severity = row.text(3);
    episode.start_unix_ms = row.integer(4);
    episode.end_unix_ms = row.integer(5);
    episode.peak = row.real(6);
    episode.model = row.text(7);
    episode.verdict = row.text(8);
    episode.note = row.text(9);
    episode.who = row.text(10);
    episode.acknowledged = row.integer(11) != 0;
    const json shares = json::parse(row.text(12), nullptr, false);
    if (shares.is_object())
        for (const auto& [name, share] : shares.items())
            if (share.is_number()) episode.contributions[name] = share.get<double>();
    episode.suspected = row.text(13);
    episode.evidence = row.text(14);
    return episode;
}

}  // namespace

std::string_view state_of(const Episode& episode) {
    if (episode.end_unix_ms == 0)
        return episode.acknowledged ? "active, acknowledged" : "active, unacknowledged";
    return episode.acknowledged ? "normal" : "returned, unacknowledged";
}

Outcome<std::unique_ptr<Alarms>> Alarms::open(
    doors::Doors& doors, const std::string& file, database::Access access
) {
    auto database = doors.databases.open(file, access, schema);
    if (!database) return std::unexpected(database.error());
    return std::unique_ptr<Alarms>{new Alarms{std::move(*database)}};
}

Outcome<std::vector<Episode>> Alarms::select(
    const std::string& where, const std::vector<database::Value>& parameters
) {
    auto rows = database_->query(
        "SELECT id, device, level, severity, start_unix_ms, end_unix_ms, peak, model, verdict, "
        "note,"
        " who, acknowledged, contributions, COALESCE(suspected, ''), COALESCE(evidence, '')"
        " FROM episodes LEFT JOIN causes ON causes.episode = episodes.id " +
            where,
        parameters
    );
    if (!rows) return std::unexpected(rows.error());
    std::vector<Episode> made;
    made.reserve(rows->size());
    for (const database::Row& row : *rows)
        made.push_back(episode_of(row));
    return made;
}

Outcome<std::vector<Episode>> Alarms::newest(std::size_t count) {
    return select("ORDER BY id DESC LIMIT ?", {static_cast<std::int64_t>(count)});
}

Outcome<std::optional<Episode>> Alarms::lasting(const std::string& device, int level) {
    auto found = select(
        "WHERE device = ? AND level = ? AND end_unix_ms = 0",
        {device, static_cast<std::int64_t>(level)}
    );
    if (!found) return std::unexpected(found.error());
    return found->empty() ? std::nullopt : std::optional{found->front()};
}

Outcome<std::optional<Episode>> Alarms::find(std::int64_t id) {
    auto found = select("WHERE id = ?", {id});
    if (!found) return std::unexpected(found.error());
    return found->empty() ? std::nullopt : std::optional{found->front()};
}

Outcome<std::vector<Episode>> Alarms::touching(std::int64_t from_unix_ms, std::int64_t to_unix_ms) {
    return select(
        "WHERE start_unix_ms <= ? AND (end_unix_ms = 0 OR end_unix_ms >= ?) ORDER BY id",
        {to_unix_ms, from_unix_ms}
    );
}

Outcome<void> Alarms::save(Episode& episode) {
    if (auto done = save_life(episode); !done || episode.suspected.empty()) return done;
    return database_->execute(
        "INSERT INTO causes (episode, suspected, evidence) VALUES (?,?,?)"
        " ON CONFLICT(episode) DO UPDATE SET suspected=excluded.suspected,"
        " evidence=excluded.evidence",
        {episode.id, episode.suspected, episode.evidence}
    );
}

Outcome<void> Alarms::save_life(Episode& episode) {
    const std::vector<database::Value> values{
        episode.device,
        static_cast<std::int64_t>(episode.level),
        episode.severity,
        episode.start_unix_ms,
        episode.end_unix_ms,
        episode.peak,
        episode.model,
        episode.verdict,
        episode.note,
        episode.who,
        static_cast<std::int64_t>(episode.acknowledged ? 1 : 0),
        json(episode.contributions).dump()
    };
    if (episode.id != 0) {
        std::vector<database::Value> with_id = values;
        with_id.emplace_back(episode.id);
        return database_->execute(
            "UPDATE episodes SET device=?, level=?, severity=?, start_unix_ms=?, end_unix_ms=?,"
            " peak=?, model=?, verdict=?, note=?, who=?, acknowledged=?, contributions=?"
            " WHERE id=?",
            with_id
        );
    }
    auto rows = database_->query(
        "INSERT INTO episodes (device, level, severity, start_unix_ms, end_unix_ms, peak, model,"
        " verdict, note, who, acknowledged, contributions) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"
        " RETURNING id",
        values
    );
    if (!rows) return std::unexpected(rows.error());
    episode.id = rows->front().integer(0);
    return {};
}

Outcome<Place> Alarms::place(const std::string& source) {
    auto rows = database_->query("SELECT boot, seq FROM places WHERE source = ?", {source});
    if (!rows) return std::unexpected(rows.error());
    if (rows->empty()) return Place{};
    return Place{.boot = rows->front().integer(0), .seq = rows->front().integer(1)};
}

Outcome<void> Alarms::set_place(const std::string& source, const Place& place) {
    return database_->execute(
        "INSERT INTO places (source, boot, seq) VALUES (?,?,?)"
        " ON CONFLICT(source) DO UPDATE SET boot=excluded.boot, seq=excluded.seq",
        {source, place.boot, place.seq}
    );
}

}  // namespace stator::alarms
