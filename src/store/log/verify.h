// Verify walks every byte of a log from outside, and says the file and the offset of what is wrong.
//
// Headers, snapshots, each record's CRC, epoch and ordinal, that segments meet, each index entry
// against the record it points to, both slots of each commit page. It only reads, takes no lock,
// and goes on beside a live writer: what that is just writing or has retired meanwhile is not
// called wrong.
#pragma once

#include "store/log/segments.h"

namespace stator::log {

struct Finding {
    std::string file;
    std::uint64_t offset = 0;  // in that file
    std::string what;
};

struct Verified {
    static constexpr std::size_t findings_max = 1000;

    std::uint64_t segments = 0;
    std::uint64_t records = 0;
    std::uint64_t record_bytes = 0;
    std::uint64_t index_entries = 0;
    std::uint64_t commit_pages = 0;
    std::vector<Finding> findings;  // empty: all is well
    std::uint64_t findings_left_out = 0;
    // What stands behind the last record of a class, and is none: the writer's next start cuts it.
    std::vector<Finding> tails;
};

[[nodiscard]] Outcome<Verified> verify(disk::Disk& disk, const std::string& log_directory);

}  // namespace stator::log
