#include "store/ingest/ingest.h"

#include "world/json/json.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

namespace stator::ingest {

namespace {

constexpr std::size_t records_at_once = 1000;
constexpr std::int64_t upload_again_us = 1'000'000;

constexpr std::array<std::string_view, 4> contract_channels{
    "current", "temperature", "vibration", "sound"
};

constexpr std::string_view schema =
    "CREATE TABLE IF NOT EXISTS waiting (id INTEGER PRIMARY KEY AUTOINCREMENT, grp TEXT NOT NULL,"
    " text TEXT NOT NULL);"
    "CREATE INDEX IF NOT EXISTS waiting_of ON waiting (grp, id);"
    "CREATE TABLE IF NOT EXISTS seen (device TEXT PRIMARY KEY, boot INTEGER NOT NULL,"
    " seq INTEGER NOT NULL, kept INTEGER NOT NULL, duplicates INTEGER NOT NULL,"
    " missing INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS numbers (device TEXT PRIMARY KEY, text TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS uploads (grp TEXT PRIMARY KEY, unix_ms INTEGER NOT NULL UNIQUE,"
    " last_row INTEGER NOT NULL);";

std::string quoted(std::string_view text) {
    if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string{text};
    std::string made = "\"";
    for (const char c : text) {
        if (c == '"') made += '"';
        made += c;
    }
    return made + "\"";
}

std::string cell(const wire::Telemetry& telemetry, std::string_view name) {
    auto value = wire::find(telemetry.channels, name);
    if (!value) value = wire::find(telemetry.features, name);
    // The shortest text that is the same float again.
    return value ? fmt::format("{}", *value) : std::string{};
}

bool is_contract_channel(std::string_view name) {
    return std::ranges::find(contract_channels, name) != contract_channels.end();
}

std::string file_name(std::int64_t unix_ms) {
    const std::chrono::sys_seconds time{std::chrono::seconds{unix_ms / 1000}};
    return fmt::format("raw_sensor_training_data_{:%Y-%m-%dT%H:%M:%S}:{}.csv", time, unix_ms);
}

// The rows of one file: of one asset (null: of the devices that no asset knows), under one header.
// The header is part of the name, so rows from before the asset's features changed keep their own.
std::string group_of(const asset::Asset* asset) {
    std::string group = asset == nullptr ? "" : std::string{asset->id.view()};
    group += "\ndeviceID,timeStamp,current,temperature,vibration,sound";
    if (asset == nullptr) return group;
    for (std::size_t i = 0; i < asset->features.size(); ++i) {
        const auto name = asset::feature_name(*asset, i);
        if (!is_contract_channel(name.view())) group += "," + quoted(name.view());
    }
    return group;
}

std::string_view header_of(std::string_view group) {
    return group.substr(group.find('\n') + 1);
}

}  // namespace

std::string csv_row(
    const wire::Telemetry& telemetry, std::int64_t time_unix_ms, const asset::Asset* asset
) {
    std::string row = fmt::format("{},{}", quoted(telemetry.device.view()), time_unix_ms);
    for (const std::string_view channel : contract_channels)
        row += "," + cell(telemetry, channel);
    if (asset == nullptr) return row;
    for (std::size_t i = 0; i < asset->features.size(); ++i) {
        const auto name = asset::feature_name(*asset, i);
        if (!is_contract_channel(name.view())) row += "," + cell(telemetry, name.view());
    }
    return row;
}

Outcome<std::unique_ptr<Ingest>> Ingest::make(
    doors::Doors& doors, stream::Stream& stream, Options options
) {
    std::unique_ptr<Ingest> made{new Ingest{doors, std::move(options)}};
    auto database = doors.databases.open(
        made->options_.file,
        database::Access::write,
        std::string{schema} + std::string{stream::Outbox::schema}
    );
    if (!database) return std::unexpected(database.error());
    made->database_ = std::move(*database);
    made->current_.insert(group_of(nullptr));
    for (const asset::Asset& asset : made->options_.assets)
        made->current_.insert(group_of(&asset));
    auto counts = made->database_->query("SELECT grp, COUNT(*) FROM waiting GROUP BY grp", {});
    if (!counts) return std::unexpected(counts.error());
    for (const database::Row& row : *counts)
        made->rows_[row.text(0)] = row.integer(1);
    auto source = stream.open(
        log::Class::telemetry,
        {.name = "ingest", .required = true, .start = stream::Start::earliest}
    );
    if (!source) return std::unexpected(source.error());
    made->source_ = std::move(*source);
    auto client = doors.mqtt.connect(made->options_.mqtt);
    if (!client) return std::unexpected(client.error());
    made->client_ = std::move(*client);
    made->outbox_ = std::make_unique<stream::Outbox>(
        *made->database_, *made->client_, doors.clock, doors.journal
    );
    return made;
}

const asset::Asset* Ingest::asset_of(std::string_view device) const {
    const auto found = std::ranges::find(options_.assets, device, [](const asset::Asset& a) {
        return a.device.view();
    });
    return found == options_.assets.end() ? nullptr : &*found;
}

Outcome<Ingest::Seen*> Ingest::seen_of(const std::string& device) {
    const auto known = seen_.find(device);
    if (known != seen_.end()) return &known->second;
    auto rows = database_->query(
        "SELECT boot, seq, kept, duplicates, missing, text FROM seen LEFT JOIN numbers USING"
        " (device) WHERE device = ?",
        {device}
    );
    if (!rows) return std::unexpected(rows.error());
    Seen made;
    if (!rows->empty()) {
        const database::Row& row = rows->front();
        const auto boot = static_cast<std::uint32_t>(row.integer(0));
        made.numbers_text = row.text(5);
        made.numbers = stream::Numbers::from(
            made.numbers_text, boot, static_cast<std::uint64_t>(row.integer(1))
        );
        made.kept = row.integer(2);
        made.duplicates = row.integer(3);
        made.missing = row.integer(4);
    }
    return &seen_.emplace(device, std::move(made)).first->second;
}

Outcome<bool> Ingest::is_new(const std::string& device, std::uint32_t boot, std::uint64_t seq) {
    auto found = seen_of(device);
    if (!found) return std::unexpected(found.error());
    Seen& seen = **found;
    touched_.insert(device);
    const stream::Numbers::Taken taken = seen.numbers.take(boot, seq);
    if (taken.came == stream::Numbers::Came::again) {
        metrics_.add("stator_ingest_duplicates_total");
        ++seen.duplicates;
        return false;
    }
    if (taken.came == stream::Numbers::Came::late) metrics_.add("stator_ingest_late_total");
    // seq counts everything that a device sends: its events and inferences stand in other classes,
    // so what is missing here is an upper bound, and is called so.
    if (taken.jumped != 0)
        metrics_.add("stator_ingest_seq_not_in_class_total", static_cast<double>(taken.jumped));
    seen.missing += static_cast<std::int64_t>(taken.jumped);
    ++seen.kept;
    return true;
}

Outcome<void> Ingest::store_seen() {
    for (const std::string& device : std::exchange(touched_, {})) {
        Seen& seen = seen_.find(device)->second;
        auto done = database_->execute(
            "INSERT INTO seen (device, boot, seq, kept, duplicates, missing) VALUES (?,?,?,?,?,?)"
            " ON CONFLICT(device) DO UPDATE SET boot=excluded.boot, seq=excluded.seq,"
            " kept=excluded.kept, duplicates=excluded.duplicates, missing=excluded.missing",
            {device,
             std::int64_t{seen.numbers.boot()},
             static_cast<std::int64_t>(seen.numbers.seq()),
             seen.kept,
             seen.duplicates,
             seen.missing}
        );
        if (!done) return done;
        std::string text = seen.numbers.text();
        if (text == seen.numbers_text) continue;
        seen.numbers_text = std::move(text);
        done = database_->execute(
            "INSERT OR REPLACE INTO numbers (device, text) VALUES (?,?)",
            {device, seen.numbers_text}
        );
        if (!done) return done;
    }
    return {};
}

Outcome<void> Ingest::keep(const log::Record& record) {
    if (record.topic != options_.data_topic) return {};
    const auto telemetry = wire::decode_telemetry(record.payload);
    if (!telemetry) {
        metrics_.add("stator_ingest_unreadable_total");
        return {};
    }
    const std::string device{telemetry->device.view()};
    // The gate numbers what comes without; what another stream carries unnumbered is all taken.
    if (telemetry->seq) {
        auto fresh = is_new(device, telemetry->boot.value_or(0), *telemetry->seq);
        if (!fresh) return std::unexpected(fresh.error());
        if (!*fresh) return {};
    }
    const asset::Asset* asset = asset_of(device);
    const std::string group = group_of(asset);
    const std::int64_t time_unix_ms = telemetry->time_unix_ms.value_or(record.receive_unix_ms);
    if (auto done = database_->execute(
            "INSERT INTO waiting (grp, text) VALUES (?,?)",
            {group, csv_row(*telemetry, time_unix_ms, asset)}
        );
        !done)
        return done;
    ++rows_[group];
    metrics_.add("stator_ingest_rows_total");
    return {};
}

Outcome<void> Ingest::keep_all(const std::vector<log::Record>& records) {
    auto transaction = database::Transaction::begin(*database_);
    if (!transaction) return std::unexpected(transaction.error());
    for (const log::Record& record : records)
        if (auto done = keep(record); !done) return done;
    if (auto done = store_seen(); !done) return done;
    return transaction->commit();
}

Outcome<bool> Ingest::drain() {
    auto records = source_->take(records_at_once);
    if (!records) return std::unexpected(records.error());
    if (records->empty()) return false;
    // What was taken comes again only to a new process: when it cannot be kept, this one ends.
    if (auto done = keep_all(*records); !done)
        return fail(base::Fault::closed, "ingest.db: " + done.error().what);
    if (auto done = source_->commit(records->back().next); !done)
        return std::unexpected(done.error());
    return true;
}

Outcome<Ingest::Upload> Ingest::plan(const std::string& group) {
    auto known = database_->query("SELECT unix_ms, last_row FROM uploads WHERE grp = ?", {group});
    if (!known) return std::unexpected(known.error());
    if (!known->empty())
        return Upload{.unix_ms = known->front().integer(0), .last_row = known->front().integer(1)};
    auto last = database_->query(
        "SELECT MAX(id) FROM (SELECT id FROM waiting WHERE grp = ? ORDER BY id LIMIT ?)",
        {group, static_cast<std::int64_t>(options_.rows_max)}
    );
    if (!last) return std::unexpected(last.error());
    // Two groups may be full within one millisecond.
    auto highest = database_->query("SELECT MAX(unix_ms) FROM uploads", {});
    if (!highest) return std::unexpected(highest.error());
    const Upload made{
        .unix_ms = std::max(doors_.clock.unix_ms(), highest->front().integer(0) + 1),
        .last_row = last->front().integer(0)
    };
    if (auto done = database_->execute(
            "INSERT INTO uploads (grp, unix_ms, last_row) VALUES (?,?,?)",
            {group, made.unix_ms, made.last_row}
        );
        !done)
        return std::unexpected(done.error());
    return made;
}

Outcome<void> Ingest::rename(const std::string& group) {
    return database_->execute(
        "UPDATE uploads SET unix_ms = (SELECT MAX(unix_ms) + 1 FROM uploads) WHERE grp = ?", {group}
    );
}

Outcome<std::string> Ingest::content_of(const std::string& group, std::int64_t last_row) {
    auto rows = database_->query(
        "SELECT text FROM waiting WHERE grp = ? AND id <= ? ORDER BY id", {group, last_row}
    );
    if (!rows) return std::unexpected(rows.error());
    std::string content = std::string{header_of(group)} + "\n";
    for (const database::Row& row : *rows)
        content += row.text(0) + "\n";
    return content;
}

Outcome<void> Ingest::upload(const std::string& name, const std::string& content) {
    http::ClientRequest request;
    request.method = "POST";
    request.url = options_.upload_url;
    request.ca_file = options_.ca_file;
    request.certificate_file = options_.certificate_file;
    request.key_file = options_.key_file;
    std::string type;
    request.body =
        http::make_multipart({.name = "file", .filename = name, .content = content}, type);
    request.headers["Content-Type"] = type;
    auto response = doors_.http.request(request);
    if (!response) return std::unexpected(response.error());
    constexpr int conflict = 409;
    if (response->status != 200)
        return fail(
            response->status == conflict ? base::Fault::exists : base::Fault::again,
            fmt::format(
                "{} answered {} to {}: {}", request.url, response->status, name, response->body
            )
        );
    return {};
}

Outcome<bool> Ingest::ship_group(const std::string& group) {
    const auto upload_of = plan(group);
    if (!upload_of) return std::unexpected(upload_of.error());
    const std::string name = file_name(upload_of->unix_ms);
    auto content = content_of(group, upload_of->last_row);
    if (!content) return std::unexpected(content.error());
    if (auto done = upload(name, *content); !done) {
        upload_not_before_us_ = doors_.clock.monotonic_us() + upload_again_us;
        if (done.error().what != trouble_) doors_.journal.warn("ingest", done.error().what);
        trouble_ = done.error().what;
        metrics_.add("stator_ingest_upload_failures_total");
        // The name is another's: ours with these bytes would have been welcome again.
        if (done.error().fault == base::Fault::exists)
            if (auto renamed = rename(group); !renamed) return std::unexpected(renamed.error());
        return false;
    }
    trouble_.clear();
    if (auto done = finish(group, name, upload_of->last_row); !done)
        return std::unexpected(done.error());
    metrics_.add("stator_ingest_files_total");
    doors_.journal.info("ingest", name + " is in the training datastore");
    return true;
}

Outcome<void> Ingest::finish(
    const std::string& group, const std::string& name, std::int64_t last_row
) {
    auto transaction = database::Transaction::begin(*database_);
    if (!transaction) return std::unexpected(transaction.error());
    if (auto done =
            database_->execute("DELETE FROM waiting WHERE grp = ? AND id <= ?", {group, last_row});
        !done)
        return done;
    const std::int64_t shipped = database_->rows_changed();
    if (auto done = database_->execute("DELETE FROM uploads WHERE grp = ?", {group}); !done)
        return done;
    if (auto done = outbox_->enqueue(
            options_.control_topic,
            nlohmann::json{{"command", "extract-data"}, {"payload", name}}.dump()
        );
        !done)
        return done;
    if (auto done = transaction->commit(); !done) return done;
    rows_[group] -= shipped;
    return {};
}

Outcome<bool> Ingest::ship() {
    if (doors_.clock.monotonic_us() < upload_not_before_us_) return false;
    bool worked = false;
    for (const auto& [group, count] : rows_) {
        // Rows of an asset that is configured otherwise by now get no company any more.
        const std::int64_t full = current_.contains(group) ? options_.rows_max : 1;
        if (count < full) continue;
        auto shipped = ship_group(group);
        if (!shipped) return shipped;
        worked = worked || *shipped;
    }
    return worked;
}

Outcome<std::string> Ingest::status() {
    auto rows = database_->query(
        "SELECT device, boot, seq, kept, duplicates, missing FROM seen ORDER BY device", {}
    );
    if (!rows) return std::unexpected(rows.error());
    nlohmann::json devices = nlohmann::json::array();
    for (const database::Row& row : *rows)
        devices.push_back(
            {{"deviceID", row.text(0)},
             {"boot", row.integer(1)},
             {"seq", row.integer(2)},
             {"kept", row.integer(3)},
             {"duplicates", row.integer(4)},
             {"seq_not_in_class", row.integer(5)}}
        );
    std::int64_t waiting = 0;
    for (const auto& [group, count] : rows_)
        waiting += count;
    const nlohmann::json made{
        {"devices", devices}, {"rows_waiting", waiting}, {"trouble", trouble_}
    };
    return made.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Outcome<bool> Ingest::step() {
    for (const mqtt::Event& event : client_->poll())
        outbox_->on_event(event);
    auto drained = drain();
    if (!drained) return drained;
    auto shipped = ship();
    if (!shipped) return shipped;
    if (auto done = outbox_->step(); !done) return std::unexpected(done.error());
    return *drained || *shipped;
}

}  // namespace stator::ingest
