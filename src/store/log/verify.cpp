#include "store/log/verify.h"

#include "store/log/inspect.h"
#include "store/log/walk.h"

#include <fmt/format.h>

#include <algorithm>

namespace stator::log {
namespace {

constexpr int tries_max = 3;  // a writer that starts meanwhile repairs, and moves what is looked at
constexpr std::size_t zeros_chunk_bytes = 64U << 10U;

// Where records stand in a segment, to hold its index against.
struct Standing {
    std::uint64_t position = 0;
    std::int64_t receive_unix_ms = 0;
};

class SegmentCheck {
  public:
    // `end`: the class's, or none where nobody has said it. `next`: the segment that follows.
    SegmentCheck(
        disk::Disk& disk,
        const Segment& segment,
        const Segment* next,
        std::optional<std::uint64_t> end
    )
        : disk_{disk}, segment_{segment}, next_{next}, end_{end} {}

    [[nodiscard]] Outcome<void> run();

    Verified seen;

  private:
    void wrong(std::uint64_t position, std::string what) {
        seen.findings.push_back({segment_.path, position - segment_.header.base, std::move(what)});
    }

    [[nodiscard]] Outcome<void> records();
    [[nodiscard]] Outcome<bool> pass_spoiled(Walk& walk, const Parsed& parsed);
    [[nodiscard]] Outcome<bool> zeros_from(std::uint64_t position);
    [[nodiscard]] Outcome<void> index();
    void check_order(const RecordHeader& header);

    disk::Disk& disk_;
    const Segment& segment_;
    const Segment* next_;
    std::optional<std::uint64_t> end_;
    std::uint64_t position_ = 0;
    std::uint64_t last_ordinal_ = 0;
    std::vector<Standing> standing_;
};

Outcome<void> SegmentCheck::run() {
    ++seen.segments;
    if (!read_snapshot(disk_, segment_))
        seen.findings.push_back(
            {segment_.path, segment_header_bytes, "the snapshot of marks is spoiled"}
        );
    if (auto done = records(); !done) return done;
    return index();
}

void SegmentCheck::check_order(const RecordHeader& header) {
    if (header.epoch != segment_.header.epoch)
        wrong(
            position_,
            fmt::format(
                "a record of epoch {} in a segment of epoch {}", header.epoch, segment_.header.epoch
            )
        );
    if (header.ordinal <= last_ordinal_)
        wrong(
            position_,
            fmt::format("record {} stands after record {}", header.ordinal, last_ordinal_)
        );
    last_ordinal_ = header.ordinal;
}

Outcome<void> SegmentCheck::records() {
    auto walk = Walk::open(disk_, segment_);
    if (!walk) return std::unexpected(walk.error());
    position_ = segment_.first_record();
    for (;;) {
        if (next_ != nullptr && position_ == next_->header.base) return {};
        const auto parsed = walk->at(position_);
        if (!parsed) return std::unexpected(parsed.error());
        if (parsed->kind == Parsed::Kind::record) {
            check_order(parsed->header);
            ++seen.records;
            seen.record_bytes += parsed->size;
            standing_.push_back({position_, parsed->header.receive_unix_ms});
            position_ += parsed->size;
            continue;
        }
        auto on = pass_spoiled(*walk, *parsed);
        if (!on) return std::unexpected(on.error());
        if (!*on) return {};
    }
}

// No record stands here. False when the segment ends with that, rightly or not.
Outcome<bool> SegmentCheck::pass_spoiled(Walk& walk, const Parsed& parsed) {
    const std::uint64_t file_end = segment_.header.base + segment_.file_bytes;
    const std::uint64_t end = next_ != nullptr ? next_->header.base : end_.value_or(file_end);
    if (next_ == nullptr && position_ >= end) {
        auto empty = zeros_from(position_);
        if (!empty) return std::unexpected(empty.error());
        if (!*empty)
            seen.tails.push_back(
                {segment_.path,
                 position_ - segment_.header.base,
                 "bytes after the last record: being written, or to be cut"}
            );
        return false;
    }
    // A reserved segment is longer than its records: without the writer's word for the end, zeros
    // to the file's end are the reserve.
    if (next_ == nullptr && !end_) {
        auto empty = zeros_from(position_);
        if (!empty) return std::unexpected(empty.error());
        if (*empty) return false;
    }
    auto whole = walk.next_whole(position_, std::min(end, file_end));
    if (!whole) return std::unexpected(whole.error());
    const bool goes_on = *whole < std::min(end, file_end);
    const std::string_view why = parsed.kind == Parsed::Kind::more    ? "the file ends within"
                                 : parsed.kind == Parsed::Kind::zeros ? "zeros instead of"
                                                                      : "the CRC does not fit";
    if (goes_on)
        wrong(
            position_,
            fmt::format("{} a record; the next whole one is {} bytes on", why, *whole - position_)
        );
    else
        wrong(
            position_,
            fmt::format(
                "{} a record; {} bytes to the end of the class or the next segment hold none",
                why,
                end > position_ ? end - position_ : 0
            )
        );
    position_ = *whole;
    return goes_on;
}

Outcome<bool> SegmentCheck::zeros_from(std::uint64_t position) {
    auto file = disk_.open(segment_.path, disk::Mode::read);
    if (!file) return std::unexpected(file.error());
    std::vector<std::byte> bytes(zeros_chunk_bytes);
    for (std::uint64_t at = position - segment_.header.base;; at += bytes.size()) {
        const auto read = (*file)->read_at(at, bytes);
        if (!read) return std::unexpected(read.error());
        const Bytes got = Bytes{bytes}.first(*read);
        if (!std::ranges::all_of(got, [](std::byte b) { return b == std::byte{0}; })) return false;
        if (*read < bytes.size()) return true;
    }
}

Outcome<void> SegmentCheck::index() {
    const std::string path = index_path(segment_.path);
    auto file = disk_.open(path, disk::Mode::read);
    if (!file) {
        if (file.error().fault == base::Fault::not_found) return {};  // a hint may be missing
        return std::unexpected(file.error());
    }
    std::array<std::byte, index_entry_bytes> bytes{};
    const auto complain = [&](std::uint64_t at, std::string what) {
        seen.findings.push_back({path, at, std::move(what)});
    };
    for (std::uint64_t at = 0;; at += bytes.size()) {
        const auto read = (*file)->read_at(at, bytes);
        if (!read) return std::unexpected(read.error());
        // A live writer may be just adding one; a shorter rest is overwritten by the next.
        if (*read < bytes.size()) return {};
        ++seen.index_entries;
        const auto entry = decode_index(bytes);
        if (!entry) {
            complain(at, "the index entry's CRC does not fit");
            continue;
        }
        if (entry->epoch != segment_.header.epoch) {
            complain(at, "the index entry is of another epoch");
            continue;
        }
        // What was appended since the records were walked is not known here.
        if (entry->position >= position_) continue;
        const auto found =
            std::ranges::lower_bound(standing_, entry->position, {}, &Standing::position);
        if (found == standing_.end() || found->position != entry->position)
            complain(
                at, fmt::format("no whole record stands at {}, as the entry says", entry->position)
            );
        else if (found->receive_unix_ms != entry->receive_unix_ms)
            complain(at, "the index entry's time is not its record's");
    }
}

class LogCheck {
  public:
    LogCheck(disk::Disk& disk, const std::string& directory) : disk_{disk}, directory_{directory} {}

    // False when a writer started meanwhile: look again.
    [[nodiscard]] Outcome<bool> run();

    Verified all;

  private:
    [[nodiscard]] Outcome<void> check_class(Class log_class);
    [[nodiscard]] Outcome<void> check_segment(
        const Segment& segment, const Segment* next, std::optional<std::uint64_t> end
    );
    [[nodiscard]] bool still_there(const Segment& segment);
    [[nodiscard]] Outcome<void> commit_pages();
    void add(Verified seen);

    disk::Disk& disk_;
    const std::string& directory_;
    std::optional<std::array<Published, class_count>> words_;
};

void LogCheck::add(Verified seen) {
    all.segments += seen.segments;
    all.records += seen.records;
    all.record_bytes += seen.record_bytes;
    all.index_entries += seen.index_entries;
    for (Finding& finding : seen.findings) {
        if (all.findings.size() < Verified::findings_max)
            all.findings.push_back(std::move(finding));
        else
            ++all.findings_left_out;
    }
    all.tails.insert(all.tails.end(), seen.tails.begin(), seen.tails.end());
}

// A reserved segment that was retired is zeroed and used again, under the reader's eyes.
bool LogCheck::still_there(const Segment& segment) {
    if (!disk_.exists(segment.path)) return false;
    const auto words = read_words(disk_, directory_);
    return !words || (*words)[static_cast<std::size_t>(segment.header.log_class)].first <=
                         segment.header.base;
}

Outcome<void> LogCheck::check_segment(
    const Segment& segment, const Segment* next, std::optional<std::uint64_t> end
) {
    SegmentCheck check{disk_, segment, next, end};
    auto done = check.run();
    if (!done && done.error().fault != base::Fault::not_found) return done;
    const bool clean = done && check.seen.findings.empty();
    if (clean || still_there(segment)) add(std::move(check.seen));
    return {};
}

Outcome<void> LogCheck::check_class(Class log_class) {
    // Before the listing: all up to this end stands in segments that are then listed.
    const auto now = read_words(disk_, directory_);
    std::optional<std::uint64_t> end;
    if (now) end = (*now)[static_cast<std::size_t>(log_class)].end;
    auto listing = list_segments(disk_, directory_of(directory_, log_class));
    if (!listing) return std::unexpected(listing.error());
    for (const std::string& path : listing->broken) {
        if (!disk_.exists(path)) continue;
        const auto base = segment_base(path.substr(path.rfind('/') + 1));
        const bool being_made = end && base && *base >= *end;
        (being_made ? all.tails : all.findings).push_back({path, 0, "no segment's header"});
    }
    for (std::size_t i = 0; i < listing->segments.size(); ++i) {
        const Segment& segment = listing->segments[i];
        if (segment.header.log_class != log_class)
            all.findings.push_back({segment.path, 12, "a segment of another class"});
        const bool last = i + 1 == listing->segments.size();
        if (auto done = check_segment(segment, last ? nullptr : &listing->segments[i + 1], end);
            !done)
            return done;
    }
    return {};
}

Outcome<void> LogCheck::commit_pages() {
    const std::string readers = directory_ + "/readers";
    auto entries = disk_.list(readers);
    if (!entries) return std::unexpected(entries.error());
    std::vector<std::byte> page(commit_slot_stride + commit_slot_bytes);
    for (const disk::Entry& entry : *entries) {
        const std::string path = readers + "/" + entry.name;
        auto file = disk_.open(path, disk::Mode::read);
        if (!file) return std::unexpected(file.error());
        // A slot may be torn while it is written, or by a power cut: the other one then counts.
        const auto read = (*file)->read_at(0, page);
        if (!read) return std::unexpected(read.error());
        ++all.commit_pages;
        if (*read != 0 && !decode_commit_page(Bytes{page}.first(*read)))
            all.findings.push_back(
                {path, 0, "neither slot is whole: the reader begins anew, and pins nothing"}
            );
    }
    return {};
}

Outcome<bool> LogCheck::run() {
    all = {};
    words_ = read_words(disk_, directory_);
    for (std::size_t i = 0; i < class_count; ++i)
        if (auto done = check_class(static_cast<Class>(i)); !done)
            return std::unexpected(done.error());
    if (auto done = commit_pages(); !done) return std::unexpected(done.error());
    const auto now = read_words(disk_, directory_);
    for (std::size_t i = 0; words_ && now && i < class_count; ++i)
        if ((*words_)[i].epoch != (*now)[i].epoch) return false;
    return true;
}

}  // namespace

Outcome<Verified> verify(disk::Disk& disk, const std::string& log_directory) {
    LogCheck check{disk, log_directory};
    for (int i = 0; i < tries_max; ++i) {
        auto done = check.run();
        if (!done) return std::unexpected(done.error());
        if (*done) return std::move(check.all);
    }
    return fail(
        base::Fault::again, log_directory + ": its writer starts again and again; look again later"
    );
}

}  // namespace stator::log
