// Ingest turns the stream into raw CSVs in the training datastore, and says `extract-data`.
//
// Every reading becomes one row, once, also one that comes late: duplicates are known by (device,
// boot, seq), gaps are counted. Rows wait in SQLite, in the transaction that moves their device's
// place; a file of MAX_ROWS rows is uploaded under one name until it is there (the same bytes again
// are fine), then its rows go and the command is enqueued in one transaction. A kill anywhere loses
// and doubles nothing.
//
// A file has the rows of one asset (the contract's six columns, then its other features), or of all
// devices that no asset knows (the six columns). A missing value is an empty cell.
#pragma once

#include "shared/asset/asset.h"
#include "shared/wire/messages.h"
#include "store/stream/numbers.h"
#include "store/stream/outbox.h"
#include "store/stream/source.h"
#include "world/doors/doors.h"
#include "world/metrics/metrics.h"

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace stator::ingest {

struct Options {
    std::string file;  // <state>/ingest/ingest.db
    std::vector<asset::Asset> assets;
    std::uint32_t rows_max = 3000;
    std::string upload_url;  // "https://127.0.0.1:30008/upload"
    std::string ca_file;
    std::string certificate_file;
    std::string key_file;
    mqtt::Options mqtt;
    std::string data_topic = "shaded-pole-motor-sensor_data";
    std::string control_topic = "control-message";
};

class Ingest {
  public:
    [[nodiscard]] static Outcome<std::unique_ptr<Ingest>> make(
        doors::Doors& doors, stream::Stream& stream, Options options
    );

    [[nodiscard]] Outcome<bool> step();

    void wait(std::int64_t timeout_us) { source_->wait(timeout_us); }

    [[nodiscard]] metrics::Metrics& metrics() { return metrics_; }

    // JSON: per device its place, what was kept, twice there or not seen; and what holds uploads
    // up.
    [[nodiscard]] Outcome<std::string> status();

  private:
    struct Upload {
        std::int64_t unix_ms = 0;   // in the file's name
        std::int64_t last_row = 0;  // of the group's rows
    };

    struct Seen {  // of one device; as the database has it, when nothing is under way
        stream::Numbers numbers;
        std::string numbers_text;
        std::int64_t kept = 0;
        std::int64_t duplicates = 0;
        std::int64_t missing = 0;
    };

    Ingest(doors::Doors& doors, Options options) : doors_{doors}, options_{std::move(options)} {}

    [[nodiscard]] Outcome<bool> drain();
    [[nodiscard]] Outcome<void> keep_all(const std::vector<log::Record>& records);
    [[nodiscard]] Outcome<void> keep(const log::Record& record);
    [[nodiscard]] Outcome<Seen*> seen_of(const std::string& device);
    [[nodiscard]] Outcome<bool> is_new(
        const std::string& device, std::uint32_t boot, std::uint64_t seq
    );
    [[nodiscard]] Outcome<void> store_seen();
    [[nodiscard]] Outcome<bool> ship();
    [[nodiscard]] Outcome<bool> ship_group(const std::string& group);
    // The file of a group that is full: its name and its rows, fixed once.
    [[nodiscard]] Outcome<Upload> plan(const std::string& group);
    [[nodiscard]] Outcome<void> rename(const std::string& group);
    [[nodiscard]] Outcome<std::string> content_of(const std::string& group, std::int64_t last_row);
    // The file is there: its rows go, and the command is said.
    [[nodiscard]] Outcome<void> finish(
        const std::string& group, const std::string& name, std::int64_t last_row
    );
    [[nodiscard]] Outcome<void> upload(const std::string& name, const std::string& content);
    [[nodiscard]] const asset::Asset* asset_of(std::string_view device) const;

    doors::Doors& doors_;
    Options options_;
    metrics::Metrics metrics_;
    std::unique_ptr<database::Database> database_;
    std::unique_ptr<mqtt::Client> client_;
    std::unique_ptr<stream::Outbox> outbox_;
    std::unique_ptr<stream::Source> source_;
    std::map<std::string, Seen> seen_;
    std::set<std::string> touched_;             // of this transaction
    std::set<std::string> current_;             // groups of the assets as they are now
    std::map<std::string, std::int64_t> rows_;  // waiting, by group
    std::int64_t upload_not_before_us_ = 0;
    std::string trouble_;
};

// One row of a raw CSV, without its newline. Names with a comma or a quote are quoted (RFC 4180).
[[nodiscard]] std::string csv_row(
    const wire::Telemetry& telemetry, std::int64_t time_unix_ms, const asset::Asset* asset
);

}  // namespace stator::ingest
