#include "store/log/segments.h"

#include "shared/base/crc32c.h"

#include <fmt/format.h>

#include <algorithm>

namespace stator::log {

std::string directory_of(const std::string& log_directory, Class log_class) {
    return fmt::format("{}/{}", log_directory, name_of(log_class));
}

std::string index_path(std::string_view segment_path) {
    return fmt::format("{}.index", segment_path.substr(0, segment_path.size() - 4));
}

std::string commit_path(
    const std::string& log_directory, std::string_view reader, Class log_class
) {
    return fmt::format("{}/readers/{}.{}", log_directory, reader, name_of(log_class));
}

Outcome<Listing> list_segments(disk::Disk& disk, const std::string& class_directory) {
    auto entries = disk.list(class_directory);
    if (!entries) return std::unexpected(entries.error());
    Listing listing;
    for (const disk::Entry& entry : *entries) {
        const std::string path = class_directory + "/" + entry.name;
        if (entry.name.starts_with("spare-")) listing.spare.push_back(path);
        if (entry.name.starts_with("unready-")) listing.unready.push_back(path);
        if (entry.name.ends_with(".index")) {
            const std::string log = entry.name.substr(0, entry.name.size() - 6) + ".log";
            if (!disk.exists(class_directory + "/" + log)) listing.stray.push_back(path);
        }
        const auto base = segment_base(entry.name);
        if (!base) continue;
        auto file = disk.open(path, disk::Mode::read);
        if (!file) {
            if (file.error().fault == base::Fault::not_found) continue;  // retired meanwhile
            return std::unexpected(file.error());
        }
        std::array<std::byte, segment_header_bytes> bytes{};
        const auto read = (*file)->read_at(0, bytes);
        if (!read) return std::unexpected(read.error());
        const auto header = decode_segment(Bytes{bytes}.first(*read));
        if (!header || header->base != *base) {
            listing.broken.push_back(path);
            continue;
        }
        // Asked after the header was read: a live writer may have made the file since the listing.
        const auto size = (*file)->size();
        if (!size) return std::unexpected(size.error());
        listing.segments.push_back({*header, path, *size});
    }
    std::ranges::sort(listing.segments, {}, [](const Segment& s) { return s.header.base; });
    return listing;
}

std::optional<Marks> read_snapshot(disk::Disk& disk, const Segment& segment) {
    if (segment.header.snapshot_bytes > segment.file_bytes) return std::nullopt;
    auto file = disk.open(segment.path, disk::Mode::read);
    if (!file) return std::nullopt;
    std::vector<std::byte> bytes(segment.header.snapshot_bytes);
    const auto read = (*file)->read_at(segment_header_bytes, bytes);
    if (!read || *read != bytes.size() || base::crc32c(bytes) != segment.header.snapshot_crc)
        return std::nullopt;
    return decode_snapshot(bytes);
}

Offset clamp(Offset offset, const std::vector<Segment>& segments) {
    for (const Segment& segment : segments) {
        if (segment.header.epoch <= offset.epoch) continue;
        if (offset.position > segment.header.base) offset.position = segment.header.base;
        break;
    }
    return offset;
}

Outcome<std::vector<Place>> list_places(disk::Disk& disk, const std::string& log_directory) {
    const std::string directory = log_directory + "/readers";
    auto entries = disk.list(directory);
    if (!entries) return std::unexpected(entries.error());
    std::vector<Place> places;
    std::vector<std::byte> page(commit_slot_stride + commit_slot_bytes);
    for (const disk::Entry& entry : *entries) {
        for (std::size_t i = 0; i < class_count; ++i) {
            const auto log_class = static_cast<Class>(i);
            const std::string ending = fmt::format(".{}", name_of(log_class));
            if (!entry.name.ends_with(ending)) continue;
            auto file = disk.open(directory + "/" + entry.name, disk::Mode::read);
            if (!file) return std::unexpected(file.error());
            const auto read = (*file)->read_at(0, page);
            if (!read) return std::unexpected(read.error());
            if (const auto slot = decode_commit_page(Bytes{page}.first(*read)))
                places.push_back(
                    {entry.name.substr(0, entry.name.size() - ending.size()), log_class, *slot}
                );
        }
    }
    return places;
}

}  // namespace stator::log
