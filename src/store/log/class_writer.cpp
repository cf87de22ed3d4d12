#include "store/log/class_writer.h"

#include "shared/base/crc32c.h"

#include <fmt/format.h>

#include <algorithm>

namespace stator::log {
namespace {

constexpr std::uint64_t reserve_step_bytes = 1U << 20U;

Outcome<bool> is_all_zeros(disk::Disk& disk, const std::string& path) {
    auto file = disk.open(path, disk::Mode::read);
    if (!file) return std::unexpected(file.error());
    std::vector<std::byte> bytes(64U << 10U);
    for (std::uint64_t at = 0;; at += bytes.size()) {
        const auto read = (*file)->read_at(at, bytes);
        if (!read) return std::unexpected(read.error());
        const Bytes got = Bytes{bytes}.first(*read);
        if (!std::ranges::all_of(got, [](std::byte b) { return b == std::byte{0}; })) return false;
        if (*read < bytes.size()) return true;
    }
}

}  // namespace

ClassWriter::ClassWriter(
    disk::Disk& disk, const std::string& log_directory, Class log_class, const Budget& budget
)
    : disk_{disk},
      directory_{directory_of(log_directory, log_class)},
      class_{log_class},
      budget_{budget} {
    budget_.segment_bytes = std::min(budget_.segment_bytes, budget_.bytes / 4);
}

std::string ClassWriter::path_of(std::uint64_t base) const {
    return directory_ + "/" + segment_name(base);
}

std::size_t ClassWriter::reserve_count() const {
    return budget_.reserved ? static_cast<std::size_t>(budget_.bytes / budget_.segment_bytes) : 0;
}

Outcome<void> ClassWriter::adopt(const RecoveredClass& recovered) {
    for (const Segment& segment : recovered.segments)
        segments_.push_back(
            {segment.header.base, segment.header.epoch, segment.header.synced_position}
        );
    unready_ = recovered.unready;
    // A cut may have undone a spare's rename to a segment, but not what was written to it: records
    // that were lost would stand up again behind those that take their place.
    for (const std::string& path : recovered.spare) {
        auto zeros = is_all_zeros(disk_, path);
        if (!zeros) return std::unexpected(zeros.error());
        (*zeros ? spare_ : unready_).push_back(path);
    }
    end_ = recovered.end;
    // From the last to the first: a cut in the middle of this leaves no hole.
    for (const std::string& path : recovered.removed) {
        if (auto done = disk_.remove(path); !done) return done;
        const std::string index = index_path(path);
        if (disk_.exists(index)) (void)disk_.remove(index);
    }
    for (const std::string& path : recovered.stray)
        (void)disk_.remove(path);
    for (const std::string& path : recovered.sync_files) {
        const bool kept = std::ranges::any_of(recovered.segments, [&](const Segment& s) {
            return s.path == path;
        });
        if (!kept) continue;
        auto file = disk_.open(path, disk::Mode::write);
        if (!file) return std::unexpected(file.error());
        if (recovered.torn && path == recovered.segments.back().path) {
            const std::uint64_t size = end_ - recovered.segments.back().header.base;
            if (auto done = (*file)->truncate(size); !done) return done;
        }
        if (auto done = (*file)->sync(); !done) return done;
    }
    synced_ = end_;
    for (std::size_t i = 0; i < recovered.segments.size(); ++i) {
        const bool last = i + 1 == recovered.segments.size();
        tidy_index(recovered.segments[i], last ? end_ : recovered.segments[i + 1].header.base);
    }
    return disk_.sync_directory(directory_);
}

// Nobody syncs an index, so a power cut may leave anything in it: what follows the first entry that
// is not this segment's goes. A failure here costs a longer scan.
void ClassWriter::tidy_index(const Segment& segment, std::uint64_t end) {
    const std::string path = index_path(segment.path);
    if (!disk_.exists(path)) return;
    auto file = disk_.open(path, disk::Mode::write);
    if (!file) return;
    const auto size = (*file)->size();
    if (!size) return;
    std::array<std::byte, index_entry_bytes> bytes{};
    std::uint64_t at = 0;
    for (;; at += bytes.size()) {
        const auto read = (*file)->read_at(at, bytes);
        if (!read || *read < bytes.size()) break;
        const auto entry = decode_index(bytes);
        if (!entry || entry->epoch != segment.header.epoch || entry->position >= end) break;
    }
    // Synced, or the next cut brings back an entry whose place another record has taken by then.
    if (at < *size && (*file)->truncate(at)) (void)(*file)->sync();
}

Outcome<void> ClassWriter::resume() {
    if (segments_.empty()) return {};
    auto file = disk_.open(path_of(segments_.back().base), disk::Mode::write);
    if (!file) return std::unexpected(file.error());
    file_ = std::move(*file);
    next_index_ = end_;
    return {};
}

void ClassWriter::plan_making(std::string unready, bool fresh, Retirement& into) {
    std::string spare;
    do
        spare = fmt::format("{}/spare-{}", directory_, next_spare_++);
    while (disk_.exists(spare));
    into.makings.push_back({.unready = std::move(unready), .spare = spare, .fresh = fresh});
}

void ClassWriter::plan_reserve(Retirement& into) {
    for (std::string& unready : std::exchange(unready_, {}))
        plan_making(std::move(unready), false, into);
    while (segments_.size() + spare_.size() + into.makings.size() < reserve_count())
        plan_making(directory_ + "/unready-new", true, into);
}

Outcome<void> ClassWriter::fill_reserve() {
    Retirement made = nothing_yet();
    plan_reserve(made);
    auto done = made.run(disk_);
    finish(made);
    return done;
}

Outcome<void> ClassWriter::take_spare(const std::string& path) {
    if (!budget_.reserved || spare_.empty()) return {};
    if (auto done = disk_.rename(spare_.back(), path); !done) return done;
    spare_.pop_back();
    return {};
}

Outcome<void> ClassWriter::begin_segment(const Moment& moment) {
    const std::string path = path_of(end_);
    if (auto done = take_spare(path); !done) return done;
    auto file = disk_.open(path, disk::Mode::create);
    if (!file) return std::unexpected(file.error());
    names_changed_ = true;
    // Without a spare (a repair used more than the budget) the space is asked for now, or not had.
    if (budget_.reserved) {
        if (auto done = (*file)->preallocate(budget_.segment_bytes); !done) {
            (void)disk_.remove(path);
            return done;
        }
    }
    const std::vector<std::byte> snapshot = encode_snapshot(*moment.synced_marks);
    SegmentHeader header;
    header.log_class = class_;
    header.base = end_;
    header.epoch = moment.epoch;
    header.snapshot_bytes = static_cast<std::uint32_t>(snapshot.size());
    header.synced_position = synced_;
    header.synced_ordinal = moment.synced_ordinal;
    header.created_unix_ms = moment.unix_ms;
    header.snapshot_crc = base::crc32c(snapshot);
    std::vector<std::byte> bytes(segment_header_bytes);
    encode(header, bytes);
    bytes.insert(bytes.end(), snapshot.begin(), snapshot.end());
    if (auto done = (*file)->write_at(0, bytes); !done) {
        // A file without a header would look like a torn one at the next start.
        (void)disk_.remove(path);
        return done;
    }
    if (file_ && end_ != synced_) unsynced_.push_back(path_of(segments_.back().base));
    file_ = std::move(*file);
    reserved_bytes_ = 0;
    index_.reset();
    segments_.push_back({end_, moment.epoch, synced_});
    end_ += bytes.size();
    if (gathering_) gathering_->let_go(end_);
    next_index_ = end_ + index_every_bytes;
    return {};
}

// A repair begins a segment whatever the budget says, so the last one may be one too many.
bool ClassWriter::fits(std::size_t bytes) const {
    const std::uint64_t whole = this->bytes() + (budget_.reserved ? 0 : bytes);
    return !segments_.empty() && file_ && whole <= budget_.bytes &&
           end_ - segments_.back().base + bytes <= budget_.segment_bytes;
}

std::uint64_t ClassWriter::bytes() const {
    if (budget_.reserved) return segments_.size() * budget_.segment_bytes;
    return end_ - first();
}

bool ClassWriter::room_for_segment() const {
    return bytes() + budget_.segment_bytes <= budget_.bytes;
}

Outcome<void> ClassWriter::append(Bytes record, std::int64_t receive_unix_ms) {
    const std::uint64_t at = end_ - segments_.back().base;
    if (auto done = file_->write_at(at, record); !done) {
        // A prefix may be there; the next record overwrites it, the cut tidies what is longer.
        if (!budget_.reserved) {
            (void)file_->truncate(at);
            reserved_bytes_ = 0;
        }
        return done;
    }
    if (end_ >= next_index_) add_to_index(end_, receive_unix_ms);
    end_ += record.size();
    if (gathering_) gathering_->let_go(end_);
    return {};
}

Outcome<void> ClassWriter::gather(const std::string& path) {
    if (budget_.gathered_bytes == 0) {
        if (disk_.exists(path)) return disk_.remove(path);
        return {};
    }
    auto opened = Gathering::open(disk_, path, budget_.gathered_bytes, end_);
    if (!opened) return std::unexpected(opened.error());
    gathering_ = std::move(*opened);
    return {};
}

bool ClassWriter::gathers(std::size_t bytes) {
    if (!gathering_ || gathering_header_bytes + bytes > budget_.gathered_bytes) return false;
    if (budget_.reserved) return true;
    const std::uint64_t needed = end_ - segments_.back().base + bytes;
    if (needed <= reserved_bytes_) return true;
    const std::uint64_t more =
        std::max(needed, std::min(needed + reserve_step_bytes, budget_.segment_bytes));
    // Without that the record is written by itself: then the disk takes it, or says that it is
    // full.
    if (!file_->reserve(more)) return false;
    reserved_bytes_ = more;
    return true;
}

std::span<std::byte> ClassWriter::gathering_room(std::size_t bytes) const {
    const std::span<std::byte> room = gathering_->room();
    return room.size() < bytes ? std::span<std::byte>{} : room;
}

void ClassWriter::gathered(std::size_t bytes, std::int64_t receive_unix_ms) {
    gathering_->take(bytes);
    if (end_ >= next_index_) add_to_index(end_, receive_unix_ms);
    end_ += bytes;
}

Outcome<void> ClassWriter::hand_over() {
    if (!gathering_ || gathering_->held().empty()) return {};
    const std::uint64_t at = readable() - segments_.back().base;
    if (auto done = file_->write_at(at, gathering_->held()); !done) return done;
    gathering_->let_go(end_);
    return {};
}

// A hint: lost or torn entries cost a longer scan, so nothing here can fail an append.
void ClassWriter::add_to_index(std::uint64_t position, std::int64_t receive_unix_ms) {
    next_index_ = position + index_every_bytes;
    if (!index_) {
        auto file = disk_.open(index_path(path_of(segments_.back().base)), disk::Mode::create);
        if (!file) return;
        const auto size = (*file)->size();
        if (!size) return;
        index_ = std::move(*file);
        index_bytes_ = *size / index_entry_bytes * index_entry_bytes;
    }
    std::array<std::byte, index_entry_bytes> bytes{};
    encode(IndexEntry{position, receive_unix_ms, segments_.back().epoch}, bytes);
    if (index_->write_at(index_bytes_, bytes)) index_bytes_ += bytes.size();
}

std::uint64_t ClassWriter::base_holding(std::uint64_t position) const {
    std::uint64_t base = first();
    for (const Held& segment : segments_)
        if (segment.base <= position) base = segment.base;
    return base;
}

Retirement ClassWriter::nothing_yet() const {
    Retirement made;
    made.directory = directory_;
    made.segment_bytes = budget_.segment_bytes;
    return made;
}

bool ClassWriter::plan_oldest(std::uint64_t pinned, Retirement& into) {
    if (segments_.size() < 2) return false;
    const std::uint64_t after = segments_[1].base;
    // Recovery counts ordinals from where the last segment's header says "synced": none of those
    // records may be gone, or it would see a hole that is none. A header that is not synced itself
    // may be gone after a cut, and then the one before it speaks.
    std::uint64_t synced = 0;
    for (const Held& segment : segments_)
        if (segment.base < synced_) synced = segment.synced;
    if (after > pinned || after > synced) return false;
    const std::uint64_t base = segments_[0].base;
    const bool recycle = segments_.size() + spare_.size() <= reserve_count();
    std::string unready = recycle ? directory_ + "/unready-" + segment_name(base) : "";
    if (recycle) plan_making(unready, false, into);
    into.removals.push_back({.path = path_of(base), .unready = std::move(unready)});
    leaving_.push_back(segments_[0]);
    segments_.erase(segments_.begin());
    return true;
}

std::optional<Retirement> ClassWriter::begin_retirement(std::uint64_t pinned, bool all) {
    if (retiring_) return std::nullopt;
    Retirement made = nothing_yet();
    while ((all || !room_for_segment()) && plan_oldest(pinned, made)) {
    }
    plan_reserve(made);
    if (made.empty()) return std::nullopt;
    retiring_ = true;
    return made;
}

void ClassWriter::finish(const Retirement& done) {
    retiring_ = false;
    unsure_ = unsure_ || done.unsure;
    const auto gone = static_cast<std::ptrdiff_t>(done.removed);
    segments_.insert(segments_.begin(), leaving_.begin() + gone, leaving_.end());
    leaving_.clear();
    for (const Retirement::Making& making : done.makings) {
        if (making.made) {
            spare_.push_back(making.spare);
            names_changed_ = true;
        } else if (disk_.exists(making.unready)) {
            unready_.push_back(making.unready);
        }
    }
}

Outcome<bool> ClassWriter::retire_oldest(std::uint64_t pinned) {
    Retirement made = nothing_yet();
    if (retiring_ || !plan_oldest(pinned, made)) return false;
    plan_reserve(made);
    const auto done = made.run(disk_);
    finish(made);
    // A full disk: it is made ready when there is space; the segment is gone all the same.
    if (!done && done.error().fault != base::Fault::full) return std::unexpected(done.error());
    return true;
}

void ClassWriter::add_to(std::vector<std::string>& files, std::vector<std::string>& directories) {
    if (std::exchange(names_changed_, false)) directories.push_back(directory_);
    files.insert(files.end(), unsynced_.begin(), unsynced_.end());
    unsynced_.clear();
    if (file_ && end_ != synced_) files.push_back(path_of(segments_.back().base));
}

}  // namespace stator::log
