#include "store/log/walk.h"

#include <algorithm>

namespace stator::log {
namespace {

constexpr std::size_t chunk_bytes = 256U << 10U;

}  // namespace

Outcome<Walk> Walk::open(disk::Disk& disk, const Segment& segment) {
    auto file = disk.open(segment.path, disk::Mode::read);
    if (!file) return std::unexpected(file.error());
    return Walk{std::move(*file), segment.header.base, segment.file_bytes};
}

Outcome<Bytes> Walk::bytes_at(std::uint64_t position, std::size_t needed) {
    const auto held = [&] {
        const std::size_t skip = std::min<std::uint64_t>(position - from_, filled_);
        return Bytes{buffer_}.subspan(skip, filled_ - skip);
    };
    if (position >= from_ && position <= from_ + filled_ && (held().size() >= needed || ended_))
        return held();
    // No more than what is left of the file, and a byte that says where it ends.
    const std::uint64_t skip = position - base_;
    const std::uint64_t left = file_bytes_ > skip ? file_bytes_ - skip : 0;
    buffer_.resize(std::max<std::size_t>(std::min<std::uint64_t>(chunk_bytes, left + 1), needed));
    const auto read = file_->read_at(position - base_, buffer_);
    if (!read) return std::unexpected(read.error());
    from_ = position;
    filled_ = *read;
    ended_ = *read < buffer_.size();
    return held();
}

Outcome<Parsed> Walk::at(std::uint64_t position) {
    std::size_t needed = record_header_bytes;
    for (;;) {
        const auto bytes = bytes_at(position, needed);
        if (!bytes) return std::unexpected(bytes.error());
        const Parsed parsed = parse_record(*bytes, position);
        if (parsed.kind == Parsed::Kind::more && parsed.size > bytes->size() && !ended_) {
            needed = parsed.size;
            continue;
        }
        return parsed;
    }
}

Outcome<std::uint64_t> Walk::next_whole(std::uint64_t position, std::uint64_t end) {
    for (std::uint64_t next = position + 8 - position % 8; next < end; next += 8) {
        const auto parsed = at(next);
        if (!parsed) return std::unexpected(parsed.error());
        if (parsed->kind == Parsed::Kind::record) return next;
    }
    return end;
}

}  // namespace stator::log
