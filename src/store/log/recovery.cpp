#include "store/log/recovery.h"

#include <fmt/format.h>

#include <algorithm>

namespace stator::log {
namespace {

constexpr std::size_t chunk_bytes = 256U << 10U;
constexpr std::string_view missing_before = "what comes before it is missing";

struct SeenMark {
    std::uint64_t ordinal = 0;
    std::string sender;
    Mark mark;
};

struct Seen {
    std::uint64_t synced_ordinal = 1;
    std::vector<std::uint64_t> ordinals;
    std::vector<SeenMark> marks;
};

struct Scan {
    std::uint64_t end = 0;
    bool rest_is_zero = true;
};

void note(Seen& seen, const Parsed& parsed) {
    seen.ordinals.push_back(parsed.header.ordinal);
    if ((parsed.header.flags & RecordHeader::has_mark) != 0)
        seen.marks.push_back(
            {parsed.header.ordinal, std::string{parsed.view.sender}, parsed.header.mark}
        );
}

void raise(Marks& marks, const std::string& sender, Mark mark) {
    Mark& held = marks[sender];
    held = std::max(held, mark);
}

Outcome<Scan> scan(disk::Disk& disk, const Segment& segment, Seen& seen) {
    auto file = disk.open(segment.path, disk::Mode::read);
    if (!file) return std::unexpected(file.error());
    std::vector<std::byte> buffer(std::min<std::uint64_t>(chunk_bytes, segment.file_bytes + 64));
    Scan result{segment.first_record(), true};
    bool records = true;
    std::uint64_t at = result.end;
    for (;;) {
        const auto read = (*file)->read_at(at - segment.header.base, buffer);
        if (!read) return std::unexpected(read.error());
        if (*read == 0) return result;
        Bytes bytes = Bytes{buffer}.first(*read);
        while (records && !bytes.empty()) {
            const Parsed parsed = parse_record(bytes, at);
            if (parsed.kind == Parsed::Kind::more &&
                (bytes.size() < *read || *read == buffer.size())) {
                buffer.resize(std::max(buffer.size(), parsed.size));
                break;  // read on
            }
            records =
                parsed.kind == Parsed::Kind::record && parsed.header.epoch == segment.header.epoch;
            if (!records) break;
            note(seen, parsed);
            at += parsed.size;
            bytes = bytes.subspan(parsed.size);
            result.end = at;
        }
        if (records) continue;
        if (!std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; })) {
            result.rest_is_zero = false;
            return result;
        }
        at += bytes.size();
    }
}

class ClassRecovery {
  public:
    ClassRecovery(disk::Disk& disk, RecoveredClass& out, RepairReport& report, Class log_class)
        : disk_{disk}, out_{out}, report_{report}, log_class_{log_class} {}

    Outcome<void> run(const std::string& directory, bool reserved, Recovered& all, Seen& seen) {
        auto listing = list_segments(disk_, directory);
        if (!listing) return std::unexpected(listing.error());
        out_.spare = std::move(listing->spare);
        out_.unready = std::move(listing->unready);
        out_.stray = std::move(listing->stray);
        for (const std::string& path : listing->broken)
            drop(path, "its header is not whole");
        auto& segments = listing->segments;
        for (const Segment& segment : segments)
            all.epoch = std::max(all.epoch, segment.header.epoch);
        // A snapshot that is not whole was never synced, and so was nothing after it.
        while (!segments.empty() && !read_snapshot(disk_, segments.back())) {
            drop(segments.back().path, "its snapshot is not whole");
            segments.pop_back();
        }
        if (segments.empty()) return {};
        // The last whole header tells what was synced when it was written, with all marks of that
        // moment: true even if the segment itself must go, because what came before it is missing.
        const SegmentHeader last = segments.back().header;
        seen.synced_ordinal = std::max(seen.synced_ordinal, last.synced_ordinal);
        if (const auto marks = read_snapshot(disk_, segments.back()))
            for (const auto& [sender, mark] : *marks)
                raise(all.marks, sender, mark);
        const std::uint64_t synced = last.synced_position;
        // Nothing is retired above the synced end, so the first ones never came to the disk.
        if (segments.front().header.base > synced) {
            for (; !segments.empty(); segments.pop_back())
                drop(segments.back().path, missing_before);
            return {};
        }
        std::size_t start = segments.size() - 1;
        while (start > 0 && segments[start].header.base > synced)
            --start;
        out_.first_unsynced = start;
        for (std::size_t i = start; i < segments.size(); ++i) {
            const auto found = scan(disk_, segments[i], seen);
            if (!found) return std::unexpected(found.error());
            out_.sync_files.push_back(segments[i].path);
            out_.end = found->end;
            const bool is_last = i + 1 == segments.size();
            if (!is_last && segments[i + 1].header.base == found->end) continue;
            if (!is_last && segments[i + 1].header.base <= synced) {
                spoiled(segments[i], found->end);
                continue;
            }
            for (std::size_t k = segments.size() - 1; k > i; --k) {
                drop(segments[k].path, missing_before);
                segments.pop_back();
            }
            check_tail(segments[i], *found, reserved);
            break;
        }
        out_.segments = std::move(segments);
        return {};
    }

  private:
    void drop(const std::string& path, std::string_view why) {
        out_.removed.push_back(path);
        ++report_.segments_removed;
        report_.repaired = true;
        report_.notes.push_back(fmt::format("{}: taken away: {}", path, why));
    }

    void spoiled(const Segment& segment, std::uint64_t at) {
        report_.notes.push_back(
            fmt::format("{}: spoiled at {}, though it was synced", segment.path, at)
        );
    }

    void check_tail(const Segment& segment, const Scan& found, bool reserved) {
        const std::uint64_t used = found.end - segment.header.base;
        if (found.rest_is_zero && (reserved || segment.file_bytes <= used)) return;
        const std::uint64_t cut = segment.file_bytes > used ? segment.file_bytes - used : 0;
        out_.torn = true;
        report_.cut_bytes[static_cast<std::size_t>(log_class_)] += cut;
        report_.repaired = true;
        report_.notes.push_back(
            fmt::format("{}: torn at {}: {} bytes cut", segment.path, found.end, cut)
        );
    }

    disk::Disk& disk_;
    RecoveredClass& out_;
    RepairReport& report_;
    Class log_class_;
};

// A reader may have committed in an epoch whose own segments were lost with all that was in them:
// up to the synced end, which lay before them. Were the epoch given to others, or an earlier one
// gone on with, that commit would stand above all that come.
Outcome<void> heed_places(disk::Disk& disk, const std::string& directory, Recovered& all) {
    const auto places = list_places(disk, directory);
    if (!places) return std::unexpected(places.error());
    for (const Place& place : *places) {
        if (place.slot.offset.epoch <= all.epoch) continue;
        all.epoch = place.slot.offset.epoch;
        all.report.repaired = true;
        all.report.notes.push_back(fmt::format(
            "{}: reader '{}' has seen epoch {}, of which nothing is left",
            directory,
            place.reader,
            all.epoch
        ));
    }
    return {};
}

}  // namespace

Outcome<Recovered> recover(disk::Disk& disk, const std::string& directory, const Budgets& budgets) {
    Recovered all;
    Seen seen;
    for (std::size_t i = 0; i < class_count; ++i) {
        const auto log_class = static_cast<Class>(i);
        ClassRecovery recovery{disk, all.classes[i], all.report, log_class};
        const bool reserved = budgets.of(log_class).reserved;
        if (auto done = recovery.run(directory_of(directory, log_class), reserved, all, seen);
            !done)
            return std::unexpected(done.error());
    }
    if (auto done = heed_places(disk, directory, all); !done) return std::unexpected(done.error());
    std::ranges::sort(seen.ordinals);
    std::uint64_t missing = seen.synced_ordinal;
    for (const std::uint64_t ordinal : seen.ordinals)
        if (ordinal == missing) ++missing;
    all.next_ordinal =
        seen.ordinals.empty() ? missing : std::max(missing, seen.ordinals.back() + 1);
    if (all.next_ordinal != missing) {
        all.report.repaired = true;
        all.report.notes.push_back(
            fmt::format("{}: the power cut left a hole at record {}", directory, missing)
        );
    }
    // Below the synced ordinal the snapshots speak; what an earlier cut left behind a hole does
    // not.
    for (const SeenMark& mark : seen.marks)
        if (mark.ordinal >= seen.synced_ordinal && mark.ordinal < missing)
            raise(all.marks, mark.sender, mark.mark);
    all.report.records_kept = seen.ordinals.size();
    return all;
}

}  // namespace stator::log
