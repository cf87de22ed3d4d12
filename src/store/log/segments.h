// Segments lists a class's directory: which segments there are, and what their headers say.
#pragma once

#include "store/log/format.h"
#include "world/disk/disk.h"

#include <string>
#include <vector>

namespace stator::log {

struct Segment {
    SegmentHeader header;
    std::string path;
    std::uint64_t file_bytes = 0;

    [[nodiscard]] std::uint64_t first_record() const {
        return header.base + segment_header_bytes + header.snapshot_bytes;
    }
};

struct Listing {
    std::vector<Segment> segments;     // by base; whole headers only
    std::vector<std::string> broken;   // paths: the header or the snapshot is not whole
    std::vector<std::string> spare;    // paths: reserved, zeroed, ready
    std::vector<std::string> unready;  // paths: reserved, to be zeroed first
    std::vector<std::string> stray;    // paths: indexes without a segment
};

[[nodiscard]] std::string directory_of(const std::string& log_directory, Class log_class);
[[nodiscard]] std::string index_path(std::string_view segment_path);
[[nodiscard]] std::string commit_path(
    const std::string& log_directory, std::string_view reader, Class log_class
);

[[nodiscard]] Outcome<Listing> list_segments(disk::Disk& disk, const std::string& class_directory);
[[nodiscard]] std::optional<Marks> read_snapshot(disk::Disk& disk, const Segment& segment);

// Where an offset stands now: a repair that began a later epoch below it pulls it back.
[[nodiscard]] Offset clamp(Offset offset, const std::vector<Segment>& segments);

struct Place {
    std::string reader;
    Class log_class = Class::telemetry;
    CommitSlot slot;
};

// Every reader's durable place.
[[nodiscard]] Outcome<std::vector<Place>> list_places(
    disk::Disk& disk, const std::string& log_directory
);

}  // namespace stator::log
