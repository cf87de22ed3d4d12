#include "store/runs/runs.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace stator::runs {

namespace {

constexpr std::string_view own_schema =
    "CREATE TABLE IF NOT EXISTS rows (asset TEXT NOT NULL, time_unix_ms INTEGER NOT NULL,"
    " use TEXT NOT NULL, raw_name TEXT NOT NULL, features TEXT NOT NULL,"
    " PRIMARY KEY (asset, time_unix_ms)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS uses ON rows (asset, use, time_unix_ms);"
    "CREATE TABLE IF NOT EXISTS raws (asset TEXT NOT NULL, name TEXT NOT NULL,"
    " PRIMARY KEY (asset, name));"
    "CREATE TABLE IF NOT EXISTS tasks (command TEXT NOT NULL, payload TEXT NOT NULL,"
    " PRIMARY KEY (command, payload));"
    "CREATE TABLE IF NOT EXISTS data_sets (name TEXT PRIMARY KEY, asset TEXT NOT NULL,"
    " mean TEXT NOT NULL, sd TEXT NOT NULL, until_unix_ms INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS champions (asset TEXT NOT NULL, level INTEGER NOT NULL,"
    " name TEXT NOT NULL, manifest TEXT NOT NULL, tflite TEXT NOT NULL,"
    " PRIMARY KEY (asset, level));"
    "CREATE TABLE IF NOT EXISTS full_models (data_set TEXT NOT NULL, level INTEGER NOT NULL,"
    " name TEXT NOT NULL, PRIMARY KEY (data_set, level));"
    "CREATE TABLE IF NOT EXISTS pending (data_set TEXT NOT NULL, level INTEGER NOT NULL,"
    " name TEXT NOT NULL, manifest TEXT NOT NULL, tflite TEXT NOT NULL,"
    " PRIMARY KEY (data_set, level));"
    "CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);";

std::string_view name_of(Use use) {
    constexpr std::array<std::string_view, 5> names{"fresh", "held", "fault", "reference", "kept"};
    return names[static_cast<std::size_t>(use)];
}

// The shortest decimals that read back as the same floats.
std::string text_of(const std::vector<float>& values) {
    return fmt::format("{}", fmt::join(values, ","));
}

std::vector<float> floats_of(std::string_view text) {
    std::vector<float> made;
    while (!text.empty()) {
        float value = 0.0F;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc{}) break;
        made.push_back(value);
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        if (!text.empty()) text.remove_prefix(1);
    }
    return made;
}

// A text column ends at no NUL byte, but a model's bytes are kept as hex: they are no text.
std::string hex_of(std::string_view bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string made;
    made.reserve(2 * bytes.size());
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        made.push_back(digits[byte >> 4U]);
        made.push_back(digits[byte & 15U]);
    }
    return made;
}

std::string bytes_of(std::string_view hex) {
    std::string made;
    made.reserve(hex.size() / 2);
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        unsigned byte = 0;
        std::from_chars(hex.data() + i, hex.data() + i + 2, byte, 16);
        made.push_back(static_cast<char>(static_cast<unsigned char>(byte)));
    }
    return made;
}

Model model_of(const database::Row& row) {
    return {
        .name = row.text(1),
        .level = static_cast<int>(row.integer(0)),
        .manifest = row.text(2),
        .tflite = bytes_of(row.text(3))
    };
}

}  // namespace

Outcome<std::unique_ptr<Runs>> Runs::open(doors::Doors& doors, const std::string& file) {
    const std::string schema = std::string{own_schema} + std::string{stream::Outbox::schema};
    auto database = doors.databases.open(file, database::Access::write, schema);
    if (!database) return std::unexpected(database.error());
    return std::unique_ptr<Runs>{new Runs{std::move(*database)}};
}

Outcome<bool> Runs::is_done(std::string_view command, const std::string& payload) {
    auto rows = database_->query(
        "SELECT 1 FROM tasks WHERE command = ? AND payload = ?", {std::string{command}, payload}
    );
    if (!rows) return std::unexpected(rows.error());
    return !rows->empty();
}

Outcome<void> Runs::set_done(std::string_view command, const std::string& payload) {
    return database_->execute(
        "INSERT OR IGNORE INTO tasks (command, payload) VALUES (?,?)",
        {std::string{command}, payload}
    );
}

Outcome<void> Runs::add_rows(
    const std::string& asset, const std::string& raw_name, const std::vector<Row>& rows
) {
    auto since = recommissioned_unix_ms(asset);
    if (!since) return std::unexpected(since.error());
    if (auto done = database_->execute(
            "INSERT OR IGNORE INTO raws (asset, name) VALUES (?,?)", {asset, raw_name}
        );
        !done)
        return done;
    for (const Row& row : rows) {
        if (row.time_unix_ms < *since) continue;
        if (auto done = database_->execute(
                "INSERT OR IGNORE INTO rows (asset, time_unix_ms, use, raw_name, features)"
                " VALUES (?,?,'fresh',?,?)",
                {asset, row.time_unix_ms, raw_name, text_of(row.features)}
            );
            !done)
            return done;
    }
    return {};
}

Outcome<std::vector<Row>> Runs::rows(const std::string& asset, Use use) {
    auto found = database_->query(
        "SELECT time_unix_ms, features FROM rows WHERE asset = ? AND use = ?"
        " ORDER BY time_unix_ms",
        {asset, std::string{name_of(use)}}
    );
    if (!found) return std::unexpected(found.error());
    std::vector<Row> made;
    made.reserve(found->size());
    for (const database::Row& row : *found)
        made.push_back({.time_unix_ms = row.integer(0), .features = floats_of(row.text(1))});
    return made;
}

Outcome<void> Runs::set_use(const std::string& asset, const std::vector<Row>& rows, Use use) {
    for (const Row& row : rows)
        if (auto done = database_->execute(
                "UPDATE rows SET use = ? WHERE asset = ? AND time_unix_ms = ?",
                {std::string{name_of(use)}, asset, row.time_unix_ms}
            );
            !done)
            return done;
    return {};
}

Outcome<void> Runs::trim(const std::string& asset, Use use, std::size_t rows_max) {
    const std::string name{name_of(use)};
    return database_->execute(
        "DELETE FROM rows WHERE asset = ? AND use = ? AND time_unix_ms <= (SELECT time_unix_ms"
        " FROM rows WHERE asset = ? AND use = ? ORDER BY time_unix_ms DESC LIMIT 1 OFFSET ?)",
        {asset, name, asset, name, static_cast<std::int64_t>(rows_max)}
    );
}

Outcome<std::vector<std::string>> Runs::raw_names(const std::string& asset) {
    auto found = database_->query("SELECT name FROM raws WHERE asset = ? ORDER BY name", {asset});
    if (!found) return std::unexpected(found.error());
    std::vector<std::string> made;
    for (const database::Row& row : *found)
        made.push_back(row.text(0));
    return made;
}

Outcome<void> Runs::save(const DataSet& data_set) {
    return database_->execute(
        "INSERT OR REPLACE INTO data_sets (name, asset, mean, sd, until_unix_ms)"
        " VALUES (?,?,?,?,?)",
        {data_set.name,
         data_set.asset,
         text_of(data_set.mean),
         text_of(data_set.sd),
         data_set.until_unix_ms}
    );
}

Outcome<std::optional<DataSet>> Runs::data_set(const std::string& name) {
    auto found = database_->query(
        "SELECT asset, mean, sd, until_unix_ms FROM data_sets WHERE name = ?", {name}
    );
    if (!found) return std::unexpected(found.error());
    if (found->empty()) return std::optional<DataSet>{};
    const database::Row& row = found->front();
    return std::optional{DataSet{
        .name = name,
        .asset = row.text(0),
        .mean = floats_of(row.text(1)),
        .sd = floats_of(row.text(2)),
        .until_unix_ms = row.integer(3)
    }};
}

Outcome<std::string> Runs::awaited(const std::string& asset) {
    return fact("awaited:" + asset);
}

Outcome<void> Runs::set_awaited(const std::string& asset, const std::string& name) {
    return set_fact("awaited:" + asset, name);
}

Outcome<std::optional<Model>> Runs::champion(const std::string& asset, int level) {
    auto found = database_->query(
        "SELECT level, name, manifest, tflite FROM champions WHERE asset = ? AND level = ?",
        {asset, static_cast<std::int64_t>(level)}
    );
    if (!found) return std::unexpected(found.error());
    if (found->empty()) return std::optional<Model>{};
    return std::optional{model_of(found->front())};
}

Outcome<void> Runs::set_champion(const std::string& asset, const Model& model) {
    return database_->execute(
        "INSERT OR REPLACE INTO champions (asset, level, name, manifest, tflite)"
        " VALUES (?,?,?,?,?)",
        {asset,
         static_cast<std::int64_t>(model.level),
         model.name,
         model.manifest,
         hex_of(model.tflite)}
    );
}

Outcome<std::vector<Runs::Full>> Runs::full_models(const std::string& data_set) {
    auto found = database_->query(
        "SELECT level, name FROM full_models WHERE data_set = ? ORDER BY level", {data_set}
    );
    if (!found) return std::unexpected(found.error());
    std::vector<Full> made;
    for (const database::Row& row : *found)
        made.push_back({.level = static_cast<int>(row.integer(0)), .name = row.text(1)});
    return made;
}

Outcome<void> Runs::add_full_model(const std::string& data_set, const Full& model) {
    return database_->execute(
        "INSERT OR REPLACE INTO full_models (data_set, level, name) VALUES (?,?,?)",
        {data_set, static_cast<std::int64_t>(model.level), model.name}
    );
}

Outcome<std::vector<Model>> Runs::pending(const std::string& data_set) {
    auto found = database_->query(
        "SELECT level, name, manifest, tflite FROM pending WHERE data_set = ? ORDER BY level",
        {data_set}
    );
    if (!found) return std::unexpected(found.error());
    std::vector<Model> made;
    for (const database::Row& row : *found)
        made.push_back(model_of(row));
    return made;
}

Outcome<void> Runs::set_pending(const std::string& data_set, const std::vector<Model>& models) {
    if (auto done = database_->execute("DELETE FROM pending WHERE data_set = ?", {data_set}); !done)
        return done;
    for (const Model& model : models)
        if (auto done = database_->execute(
                "INSERT INTO pending (data_set, level, name, manifest, tflite) VALUES (?,?,?,?,?)",
                {data_set,
                 static_cast<std::int64_t>(model.level),
                 model.name,
                 model.manifest,
                 hex_of(model.tflite)}
            );
            !done)
            return done;
    return {};
}

Outcome<void> Runs::recommission(const std::string& asset, std::int64_t unix_ms) {
    auto transaction = database::Transaction::begin(*database_);
    if (!transaction) return std::unexpected(transaction.error());
    for (const std::string_view sql :
         {"DELETE FROM rows WHERE asset = ? AND time_unix_ms < ?",
          "DELETE FROM rows WHERE asset = ? AND use IN ('reference','kept','fault')",
          "DELETE FROM champions WHERE asset = ?",
          "DELETE FROM full_models WHERE data_set IN"
          " (SELECT name FROM data_sets WHERE asset = ?)",
          "DELETE FROM pending WHERE data_set IN (SELECT name FROM data_sets WHERE asset = ?)"}) {
        std::vector<database::Value> parameters{asset};
        if (sql.find("time_unix_ms <") != std::string_view::npos) parameters.emplace_back(unix_ms);
        if (auto done = database_->execute(sql, parameters); !done) return done;
    }
    if (auto done = set_awaited(asset, ""); !done) return done;
    if (auto done = set_fact("recommissioned:" + asset, std::to_string(unix_ms)); !done)
        return done;
    return transaction->commit();
}

Outcome<std::int64_t> Runs::recommissioned_unix_ms(const std::string& asset) {
    auto text = fact("recommissioned:" + asset);
    if (!text) return std::unexpected(text.error());
    std::int64_t made = 0;
    std::from_chars(text->data(), text->data() + text->size(), made);
    return made;
}

Outcome<std::string> Runs::fact(const std::string& name) {
    auto rows = database_->query("SELECT value FROM facts WHERE name = ?", {name});
    if (!rows) return std::unexpected(rows.error());
    return rows->empty() ? std::string{} : rows->front().text(0);
}

Outcome<void> Runs::set_fact(const std::string& name, const std::string& value) {
    return database_->execute(
        "INSERT OR REPLACE INTO facts (name, value) VALUES (?,?)", {name, value}
    );
}

}  // namespace stator::runs
