#include "learn/extract/extract.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <tuple>

namespace stator::extract {

namespace {

std::vector<std::string> cells_of(std::string_view line) {
    std::vector<std::string> cells;
    for (;;) {
        const std::size_t comma = line.find(',');
        std::string_view cell = line.substr(0, comma);
        if (cell.size() >= 2 && cell.front() == '"' && cell.back() == '"')
            cell = cell.substr(1, cell.size() - 2);
        cells.emplace_back(cell);
        if (comma == std::string_view::npos) return cells;
        line.remove_prefix(comma + 1);
    }
}

template <typename Number>
std::optional<Number> number_of(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

std::optional<float> finite(std::string_view text) {
    const auto value = number_of<float>(text);
    return value && std::isfinite(*value) ? value : std::nullopt;
}

// A sensor's worst value is still a number: what a float cannot hold becomes the largest it can.
float in_range(double value) {
    constexpr auto most = static_cast<double>(std::numeric_limits<float>::max());
    return static_cast<float>(std::clamp(value, -most, most));
}

// Where each of the asset's features stands in the table; Fault::bad_input names a missing one.
Outcome<std::vector<std::size_t>> feature_columns(const Table& table, const asset::Asset& asset) {
    std::vector<std::size_t> columns;
    for (std::size_t i = 0; i < asset.features.size(); ++i) {
        const auto name = asset::feature_name(asset, i);
        columns.push_back(table.column(name.view()));
        if (columns.back() == table.header.size())
            return fail(
                base::Fault::bad_input,
                fmt::format(
                    "the CSV has no column {}, which {} needs", name.view(), asset.id.view()
                )
            );
    }
    return columns;
}

}  // namespace

std::size_t Table::column(std::string_view name) const {
    return static_cast<std::size_t>(std::ranges::find(header, name) - header.begin());
}

Outcome<Table> read_csv(std::string_view text) {
    Table table;
    std::size_t number = 0;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        std::string_view line = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        ++number;
        if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
        if (line.empty()) continue;
        auto cells = cells_of(line);
        if (table.header.empty()) {
            table.header = std::move(cells);
            continue;
        }
        if (cells.size() != table.header.size())
            return fail(
                base::Fault::bad_input,
                fmt::format(
                    "line {} of the CSV has {} cells, its header {}",
                    number,
                    cells.size(),
                    table.header.size()
                )
            );
        table.rows.push_back(std::move(cells));
    }
    if (table.header.empty()) return fail(base::Fault::bad_input, "the CSV is empty");
    return table;
}

Outcome<std::vector<runs::Row>> rows_of(std::string_view raw_csv, const asset::Asset& asset) {
    auto table = read_csv(raw_csv);
    if (!table) return std::unexpected(table.error());
    const std::size_t device = table->column("deviceID");
    const std::size_t time = table->column("timeStamp");
    if (device == table->header.size() || time == table->header.size())
        return fail(base::Fault::bad_input, "the CSV has no column deviceID or timeStamp");
    std::vector<runs::Row> made;
    // Another device's file need not have this asset's columns.
    const bool ours = std::ranges::any_of(table->rows, [&](const auto& row) {
        return row[device] == asset.device.view();
    });
    if (!ours) return made;
    auto columns = feature_columns(*table, asset);
    if (!columns) return std::unexpected(columns.error());
    for (const auto& cells : table->rows) {
        if (cells[device] != asset.device.view()) continue;
        const auto when = number_of<std::int64_t>(cells[time]);
        if (!when) continue;
        runs::Row row{.time_unix_ms = *when, .features = {}};
        for (const std::size_t column : *columns)
            if (const auto value = finite(cells[column])) row.features.push_back(*value);
        if (row.features.size() == columns->size()) made.push_back(std::move(row));
    }
    std::ranges::sort(made, [](const runs::Row& a, const runs::Row& b) {
        return std::tie(a.time_unix_ms, a.features) < std::tie(b.time_unix_ms, b.features);
    });
    return made;
}

Constants constants_of(const std::vector<runs::Row>& rows, std::size_t features) {
    constexpr double relative_sd_min = 0.01;
    constexpr double sd_min = 1e-6;
    Constants made;
    const double count = std::max<double>(1.0, static_cast<double>(rows.size()));
    for (std::size_t i = 0; i < features; ++i) {
        double sum = 0;
        for (const runs::Row& row : rows)
            sum += static_cast<double>(row.features[i]);
        const double mean = sum / count;
        double squares = 0;
        for (const runs::Row& row : rows)
            squares += std::pow(static_cast<double>(row.features[i]) - mean, 2.0);
        const double sd =
            std::max({std::sqrt(squares / count), relative_sd_min * std::abs(mean), sd_min});
        made.mean.push_back(static_cast<float>(mean));
        made.sd.push_back(static_cast<float>(sd));
    }
    return made;
}

std::string normalised_csv(
    const asset::Asset& asset,
    const Constants& constants,
    const std::vector<runs::Row>& healthy,
    const std::vector<runs::Row>& fault
) {
    fmt::memory_buffer text;
    const auto into = std::back_inserter(text);
    for (std::size_t i = 0; i < asset.features.size(); ++i)
        fmt::format_to(into, "{},", asset::feature_name(asset, i).view());
    fmt::format_to(into, "label\n");
    for (const auto& [rows, label] : {std::pair{&healthy, 0}, std::pair{&fault, 1}})
        for (const runs::Row& row : *rows) {
            for (std::size_t i = 0; i < row.features.size(); ++i)
                fmt::format_to(
                    into,
                    "{},",
                    in_range(
                        (static_cast<double>(row.features[i]) -
                         static_cast<double>(constants.mean[i])) /
                        static_cast<double>(constants.sd[i])
                    )
                );
            fmt::format_to(into, "{}\n", label);
        }
    return fmt::to_string(text);
}

Outcome<Labelled> read_normalised(
    std::string_view csv, const asset::Asset& asset, const runs::DataSet& data_set
) {
    const std::size_t features = asset.features.size();
    if (data_set.mean.size() != features || data_set.sd.size() != features)
        return fail(
            base::Fault::bad_input,
            fmt::format("{} was made for another set of features", data_set.name)
        );
    auto table = read_csv(csv);
    if (!table) return std::unexpected(table.error());
    auto columns = feature_columns(*table, asset);
    if (!columns) return std::unexpected(columns.error());
    const std::size_t label = table->column("label");
    if (label == table->header.size())
        return fail(base::Fault::bad_input, data_set.name + " has no column label");
    Labelled made;
    std::int64_t number = 0;
    for (const auto& cells : table->rows) {
        ++number;
        runs::Row row{.time_unix_ms = number, .features = {}};
        for (std::size_t i = 0; i < features; ++i) {
            const auto value = finite(cells[(*columns)[i]]);
            if (!value)
                return fail(
                    base::Fault::bad_input,
                    fmt::format("row {} of {} is not all numbers", number, data_set.name)
                );
            row.features.push_back(in_range(
                static_cast<double>(*value) * static_cast<double>(data_set.sd[i]) +
                static_cast<double>(data_set.mean[i])
            ));
        }
        (cells[label] == "0" ? made.healthy : made.fault).push_back(std::move(row));
    }
    return made;
}

}  // namespace stator::extract
