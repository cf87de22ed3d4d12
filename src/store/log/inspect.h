// Inspect tells what a log holds and how far its readers are, from outside.
//
// It only reads, takes no lock, and goes on beside a live writer: what that retires meanwhile is
// left out. Where the writer's words are missing (it never ran since they were deleted), ends are
// found by reading, and the budget and the synced end are not known.
#pragma once

#include "store/log/segments.h"

#include <array>

namespace stator::log {

struct Holding {
    Class log_class = Class::telemetry;
    std::vector<Segment> segments;    // by base
    std::uint64_t segment_bytes = 0;  // of their files, reserved space included
    std::uint64_t spare_bytes = 0;    // reserved, and not yet a segment
    Offset end;                       // of the last record
    std::uint64_t first = 0;          // position of the oldest segment
    std::optional<std::uint64_t> synced;
    std::optional<std::uint64_t> budget_bytes;
    std::optional<double> bytes_per_s;  // since the newest segment that is a minute old
    std::uint64_t pinned_bytes = 0;     // what required readers keep from being deleted
    std::string pinned_by;              // the one that is furthest behind
    // Days until the budget is full if no required reader went on from now, at the present rate.
    std::optional<double> autonomy_days;
};

[[nodiscard]] Outcome<std::array<Holding, class_count>> look_at(
    disk::Disk& disk, const std::string& log_directory, std::int64_t now_unix_ms
);

struct ReaderLag {
    Place place;
    std::uint64_t bytes = 0;
    std::uint64_t records = 0;       // that it would be given; a spoiled stretch counts as none
    std::uint64_t missed_bytes = 0;  // deleted before it read them: optional readers only
};

[[nodiscard]] Outcome<std::vector<ReaderLag>> look_at_readers(
    disk::Disk& disk, const std::string& log_directory
);

// The words that a writer has published for a class; none when there is no whole set.
struct Published {
    std::uint64_t end = 0;
    std::uint64_t synced = 0;
    std::uint64_t epoch = 0;
    std::uint64_t first = 0;
    std::uint64_t budget = 0;
};

[[nodiscard]] std::optional<std::array<Published, class_count>> read_words(
    disk::Disk& disk, const std::string& log_directory
);

}  // namespace stator::log
