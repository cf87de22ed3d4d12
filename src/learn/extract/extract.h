// Extract turns a raw CSV into rows that may train, and the fresh ones into a normalised CSV.
//
// Only rows of the asset's device with all features count. What was recorded in an alarm, or in the
// `guard_rows` readings before it, is held back until a person says that the alarm was false; in
// one that was true it is labelled 1 and serves for judging only. Every run looks at all held rows
// again, so a verdict releases old rows too.
#pragma once

#include "learn/artifacts/artifacts.h"
#include "shared/asset/asset.h"
#include "store/alarms/alarms.h"
#include "store/runs/runs.h"

#include <cstddef>
#include <string>
#include <vector>

namespace stator::extract {

struct Config {
    artifacts::Options registry;
    std::string alarms_file;      // <state>/console/alarms.db; empty: no alarms are known
    std::size_t rows_min = 100;   // fewer fresh rows make no data set: they wait for more
    std::size_t rows_max = 4000;  // of one use; older ones are forgotten
    std::size_t guard_rows = 60;
};

// A raw or normalised CSV, columns by name.
struct Table {
    std::vector<std::string> header;
    std::vector<std::vector<std::string>> rows;
    [[nodiscard]] std::size_t column(std::string_view name) const;  // header.size(): not there
};

// Fault::bad_input for no header or a row of another width.
[[nodiscard]] Outcome<Table> read_csv(std::string_view text);

// The asset's rows of a raw CSV; a row with a missing or unreadable value is left out.
[[nodiscard]] Outcome<std::vector<runs::Row>> rows_of(
    std::string_view raw_csv, const asset::Asset& asset
);

// Stated constants: mean and floored sd a feature.
struct Constants {
    std::vector<float> mean;
    std::vector<float> sd;
};

[[nodiscard]] Constants constants_of(const std::vector<runs::Row>& rows, std::size_t features);

[[nodiscard]] std::string normalised_csv(
    const asset::Asset& asset,
    const Constants& constants,
    const std::vector<runs::Row>& healthy,
    const std::vector<runs::Row>& fault
);

struct Labelled {
    std::vector<runs::Row> healthy;  // time_unix_ms is the row's number
    std::vector<runs::Row> fault;
};

// Back to physical units. Fault::bad_input when the columns are not the asset's.
[[nodiscard]] Outcome<Labelled> read_normalised(
    std::string_view csv, const asset::Asset& asset, const runs::DataSet& data_set
);

struct Result {
    std::string data_set;  // its name; empty: too few rows
    std::size_t fresh = 0;
    std::size_t held = 0;
    std::size_t fault = 0;
    bool alarm_lasts = false;  // and nobody has called it false
};

// Idempotent but for the data set's name.
[[nodiscard]] Outcome<Result> extract(
    doors::Doors& doors,
    runs::Runs& runs,
    const asset::Asset& asset,
    const Config& config,
    const std::string& raw_name
);

}  // namespace stator::extract
