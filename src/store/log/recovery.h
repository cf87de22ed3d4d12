// Recovery reads the log's tail after whatever happened, and says what of it holds.
//
// It starts, in each class, in the segment that held the synced end when the last segment was
// begun; all before is known to be synced. Records count in ordinals over all classes, so the first
// one missing is seen: marks above it are not believed, for what they promise may be gone.
#pragma once

#include "store/log/segments.h"
#include "store/log/writer.h"

namespace stator::log {

struct RecoveredClass {
    std::vector<Segment> segments;  // that stay
    std::vector<std::string> removed;
    std::vector<std::string> spare;
    std::vector<std::string> unready;
    std::vector<std::string> stray;
    std::uint64_t end = 0;                // of the last segment
    std::size_t first_unsynced = 0;       // index of the segment that the scan began with
    bool torn = false;                    // the last segment holds bytes after `end`
    std::vector<std::string> sync_files;  // that may hold unsynced bytes
};

struct Recovered {
    std::array<RecoveredClass, class_count> classes;
    Marks marks;
    std::uint64_t next_ordinal = 1;
    std::uint32_t epoch = 0;  // the highest that was ever seen; 0: a new log
    RepairReport report;
};

// Reads only. `reserved`: zeros after the end are the class's reserve, not a tear.
[[nodiscard]] Outcome<Recovered> recover(
    disk::Disk& disk, const std::string& directory, const Budgets& budgets
);

}  // namespace stator::log
