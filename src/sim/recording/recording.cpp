#include "sim/recording/recording.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <set>

namespace stator::recording {

namespace {

constexpr double margin = 0.2;  // of the recorded range, on each side
constexpr std::size_t no_column = std::numeric_limits<std::size_t>::max();

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view blank = " \t\r\"";
    const std::size_t from = text.find_first_not_of(blank);
    if (from == std::string_view::npos) return {};
    return text.substr(from, text.find_last_not_of(blank) - from + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> made;
    for (;;) {
        const std::size_t end = text.find(separator);
        made.push_back(trimmed(text.substr(0, end)));
        if (end == std::string_view::npos) return made;
        text.remove_prefix(end + 1);
    }
}

// Takes the first line off the text.
std::string_view take_line(std::string_view& text) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    return line;
}

std::optional<double> number_of(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value))
        return std::nullopt;
    return value;
}

// Which column of the file is what.
struct Columns {
    std::vector<std::string> names;  // of the channels
    std::vector<std::size_t> places;
    std::size_t time = no_column;
    std::size_t label = no_column;
};

Outcome<Columns> columns_of(
    std::string_view map, const std::vector<std::string_view>& header, const std::string& file
) {
    const auto bad = [](std::string what) { return fail(base::Fault::bad_input, std::move(what)); };
    Columns made;
    std::set<std::string_view> seen;
    for (const std::string_view pair : split(map, ',')) {
        const std::size_t equals = pair.find('=');
        const std::string_view name = trimmed(pair.substr(0, equals));
        if (equals == std::string_view::npos || name.empty() || name.size() > asset::name_bytes_max)
            return bad(fmt::format("the map says \"{}\": write channel=column", pair));
        if (!seen.insert(name).second)
            return bad(fmt::format("the map names {} twice: drop one", name));
        const std::string_view column = trimmed(pair.substr(equals + 1));
        const auto found = std::ranges::find(header, column);
        if (found == header.end())
            return fail(
                base::Fault::not_found,
                fmt::format(
                    "{}, line 1: there is no column \"{}\" for {}; there are: {}",
                    file,
                    column,
                    name,
                    fmt::join(header, ", ")
                )
            );
        const auto place = static_cast<std::size_t>(found - header.begin());
        if (name == "time") {
            made.time = place;
        } else if (name == "label") {
            made.label = place;
        } else {
            made.names.emplace_back(name);
            made.places.push_back(place);
        }
    }
    if (made.names.empty()) return bad("the map names no channel: write channel=column");
    if (made.names.size() > asset::channels_max)
        return fail(
            base::Fault::full,
            fmt::format(
                "the map names {} channels, there may be {}: drop some",
                made.names.size(),
                asset::channels_max
            )
        );
    return made;
}

}  // namespace

Outcome<Recording> Recording::open(
    disk::Disk& disk, const std::string& csv_file, std::string_view map
) {
    auto text = disk.read_all(csv_file, file_bytes_max);
    if (!text) return std::unexpected(text.error());
    Recording made;
    if (auto done = made.read_rows(*text, map, csv_file); !done)
        return std::unexpected(done.error());
    made.calibrate();
    return made;
}

Outcome<void> Recording::read_rows(
    std::string_view text, std::string_view map, const std::string& file
) {
    const std::string_view head = take_line(text);
    const char separator = head.find(';') == std::string_view::npos ? ',' : ';';
    const std::vector<std::string_view> header = split(head, separator);
    const auto columns = columns_of(map, header, file);
    if (!columns) return std::unexpected(columns.error());
    for (const std::string& name : columns->names) {
        asset::Channel channel;
        channel.name = asset::Name{name};
        channel.counts_max = counts_max;
        channel.stuck_after_s = 0;  // a value may have been recorded again and again
        const asset::Feature feature{
            .channel = static_cast<std::uint8_t>(asset_.channels.size()),
            .statistic = asset::Statistic::mean
        };
        [[maybe_unused]] const bool fits =
            asset_.channels.push_back(channel) && asset_.features.push_back(feature);
        assert(fits);
    }
    for (std::size_t line = 2; !text.empty(); ++line) {
        const std::string_view row = take_line(text);
        if (trimmed(row).empty()) continue;
        const auto bad = [&](std::string_view what) {
            return fail(base::Fault::bad_input, fmt::format("{}, line {}: {}", file, line, what));
        };
        if (rows_ == rows_max)
            return fail(
                base::Fault::full, fmt::format("{} has more than {} rows: cut it", file, rows_max)
            );
        const std::vector<std::string_view> cells = split(row, separator);
        if (cells.size() != header.size())
            return bad(
                fmt::format("{} cells, the header has {} columns", cells.size(), header.size())
            );
        for (const std::size_t place : columns->places) {
            const auto value = number_of(cells[place]);
            if (!value || std::abs(*value) > 1e30)
                return bad(
                    fmt::format("column {}: \"{}\" is not a number", header[place], cells[place])
                );
            values_.push_back(*value);
        }
        if (columns->label != no_column) {
            const auto label = number_of(cells[columns->label]);
            if (!label || (*label != 0.0 && *label != 1.0))
                return bad(fmt::format(
                    "column {}: \"{}\" is not a label: 0 or 1",
                    header[columns->label],
                    cells[columns->label]
                ));
            labels_.push_back(*label != 0.0);
        }
        if (columns->time != no_column) times_.emplace_back(cells[columns->time]);
        ++rows_;
    }
    if (rows_ == 0) return fail(base::Fault::bad_input, fmt::format("{} has no rows", file));
    return {};
}

void Recording::calibrate() {
    const std::size_t width = asset_.channels.size();
    for (std::size_t i = 0; i < width; ++i) {
        double low = value(0, i);
        double high = low;
        for (std::size_t row = 1; row < rows_; ++row) {
            low = std::min(low, value(row, i));
            high = std::max(high, value(row, i));
        }
        double range = high - low;
        // A column that never moves, or less than a float can tell, still needs counts to stand on.
        const double least = std::max(std::abs(low), std::abs(high)) * 1e-5;
        if (range <= least) range = least > 0.0 ? least * 1e4 : 1.0;
        const double bottom = (low + high - range) / 2.0 - margin * range;
        asset::Channel& channel = asset_.channels[i];
        channel.calibration = {
            .zero_counts = 0.0F,
            .unit_per_count =
                static_cast<float>(range * (1.0 + 2.0 * margin) / static_cast<double>(counts_max)),
            .offset = static_cast<float>(bottom)
        };
        channel.plausible_min = channel.calibration.offset;
        channel.plausible_max = static_cast<float>(bottom + range * (1.0 + 2.0 * margin));
    }
}

bool Recording::next_row() {
    if (row_ + 1 >= rows_) return false;
    ++row_;
    return true;
}

base::Result<void> Recording::read(std::size_t channel, std::span<std::uint16_t> counts) {
    if (channel >= asset_.channels.size()) return std::unexpected{base::Fault::not_found};
    const asset::Calibration& it = asset_.channels[channel].calibration;
    const double count = (value(row_, channel) - static_cast<double>(it.offset)) /
                         static_cast<double>(it.unit_per_count);
    const double bounded = std::clamp(std::round(count), 0.0, static_cast<double>(counts_max));
    std::ranges::fill(counts, static_cast<std::uint16_t>(bounded));
    return {};
}

base::Result<float> Recording::backup_flow_l_per_min() {
    return std::unexpected{base::Fault::not_found};
}

}  // namespace stator::recording
