#include "store/log/reader.h"

#include "store/log/segments.h"
#include "store/log/walk.h"

#include <fmt/format.h>

#include <algorithm>

namespace stator::log {
namespace {

constexpr std::size_t read_bytes = 256U << 10U;

}  // namespace

struct Reader::State {
    disk::Disk& disk;
    std::string directory;
    Class log_class;
    ReadFrom from;
    std::unique_ptr<disk::SharedWords> words;
    std::vector<Segment> segments;
    std::unique_ptr<disk::File> file;
    Segment open;  // the segment of `file`
    Offset place;
    std::uint64_t epoch = 0;  // that `segments` was listed in
    std::vector<std::byte> buffer;
    std::uint64_t buffer_position = 0;
    std::size_t buffer_bytes = 0;
    std::unique_ptr<disk::File> page;
    CommitSlot slot;
    std::optional<Offset> wanted;  // a commit above the synced end
    std::uint64_t missed = 0;

    [[nodiscard]] std::uint64_t word(Word w) const { return words->load(word_index(log_class, w)); }

    Outcome<void> list();
    Outcome<void> open_page();
    Outcome<void> write_slot(Offset offset);
    Outcome<void> settle_commit();
    Outcome<void> notice_epoch();
    Offset indexed_start(const Segment& segment, std::int64_t receive_unix_ms);
    Outcome<bool> enter_segment();
    Outcome<bool> leave_segment(bool spoiled);
    Outcome<Parsed> parse_here(std::uint64_t end);
};

Outcome<void> Reader::State::list() {
    auto listing = list_segments(disk, directory_of(directory, log_class));
    if (!listing) return std::unexpected(listing.error());
    segments = std::move(listing->segments);
    return {};
}

Outcome<void> Reader::State::open_page() {
    const std::string path = commit_path(directory, from.name, log_class);
    auto opened = disk.open(path, disk::Mode::create);
    if (!opened) return std::unexpected(opened.error());
    page = std::move(*opened);
    std::vector<std::byte> bytes(commit_slot_stride + commit_slot_bytes);
    const auto read = page->read_at(0, bytes);
    if (!read) return std::unexpected(read.error());
    const auto found = decode_commit_page(Bytes{bytes}.first(*read));
    if (found) {
        slot = *found;
        place = slot.offset;
        if (slot.required == from.required) return {};
    }
    if (auto done = write_slot(place); !done) return done;
    return disk.sync_directory(directory + "/readers");
}

Outcome<void> Reader::State::write_slot(Offset offset) {
    const CommitSlot next{slot.generation + 1, offset, from.required};
    std::array<std::byte, commit_slot_bytes> bytes{};
    encode(next, bytes);
    // The two slots take turns: a torn write leaves the other one whole.
    const std::uint64_t at = next.generation % 2 * commit_slot_stride;
    if (auto done = page->write_at(at, bytes); !done) return done;
    if (auto done = page->sync(); !done) return done;
    slot = next;
    return {};
}

Outcome<void> Reader::State::settle_commit() {
    if (!wanted) return {};
    const std::uint64_t synced = word(Word::synced);
    Offset now = *wanted;
    now.position = std::min(now.position, synced);
    if (now.position == wanted->position) wanted.reset();
    return now > slot.offset ? write_slot(now) : Outcome<void>{};
}

// After a repair the writer says a new epoch: what lies above its cut is not ours any more.
Outcome<void> Reader::State::notice_epoch() {
    const std::uint64_t now = word(Word::epoch);
    if (now == epoch) return {};
    if (auto done = list(); !done) return done;
    epoch = now;
    place = clamp(place, segments);
    if (wanted) wanted = clamp(*wanted, segments);
    file.reset();
    buffer_bytes = 0;
    return {};
}

// False when there is no segment to go on in.
Outcome<bool> Reader::State::enter_segment() {
    if (auto done = list(); !done) return std::unexpected(done.error());
    place = clamp(place, segments);
    if (segments.empty()) return false;
    const Segment* found = segments.data();
    for (const Segment& segment : segments)
        if (segment.header.base <= place.position) found = &segment;
    auto opened = disk.open(found->path, disk::Mode::read);
    if (!opened) {
        if (opened.error().fault == base::Fault::not_found) return false;  // retired just now
        return std::unexpected(opened.error());
    }
    if (place.position < found->header.base) missed += found->header.base - place.position;
    file = std::move(*opened);
    open = *found;
    place = {open.header.epoch, std::max(place.position, open.first_record())};
    buffer_bytes = 0;
    return true;
}

// No record begins here: on to the next segment. False when there is none, so this is the tail.
Outcome<bool> Reader::State::leave_segment(bool spoiled) {
    if (auto done = list(); !done) return std::unexpected(done.error());
    for (const Segment& segment : segments) {
        if (segment.header.base < place.position || segment.header.base <= open.header.base)
            continue;
        if (spoiled || segment.header.base > place.position)
            missed += segment.header.base - place.position;
        place = {segment.header.epoch, segment.header.base};
        file.reset();
        return enter_segment();
    }
    return false;
}

Outcome<Parsed> Reader::State::parse_here(std::uint64_t end) {
    for (std::size_t wanted_bytes = read_bytes;;) {
        const std::uint64_t skip = place.position - buffer_position;
        Parsed parsed;
        parsed.kind = Parsed::Kind::more;
        if (buffer_bytes > 0 && place.position >= buffer_position && skip < buffer_bytes) {
            parsed = parse_record(Bytes{buffer}.subspan(skip, buffer_bytes - skip), place.position);
            if (parsed.kind == Parsed::Kind::record) return parsed;
            // Read again from the file before anything is believed of a buffer that ends here.
            if (skip == 0 &&
                buffer_bytes >= std::min<std::uint64_t>(wanted_bytes, end - place.position))
                return parsed;
        }
        wanted_bytes = std::max(wanted_bytes, parsed.size);
        const std::size_t most = std::min<std::uint64_t>(wanted_bytes, end - place.position);
        buffer.resize(std::max(buffer.size(), most));
        const auto read =
            file->read_at(place.position - open.header.base, std::span{buffer}.first(most));
        if (!read) return std::unexpected(read.error());
        buffer_position = place.position;
        buffer_bytes = *read;
        if (*read == 0) return Parsed{Parsed::Kind::zeros, {}, {}, 0};
        if (*read < most) {
            // The file ends before `end`: what is here is all there is of this segment.
            return parse_record(Bytes{buffer}.first(*read), place.position);
        }
    }
}

Reader::Reader(std::unique_ptr<State> state) : state_{std::move(state)} {}

Reader::~Reader() = default;

Outcome<std::unique_ptr<Reader>> Reader::open(
    disk::Disk& disk, const std::string& directory, Class log_class, const ReadFrom& from
) {
    if (from.name.find('/') != std::string::npos)
        return fail(base::Fault::bad_input, "a reader's name has no slash: " + from.name);
    for (const std::string& path : {directory_of(directory, log_class), directory + "/readers"})
        if (auto done = disk.make_directories(path); !done) return std::unexpected(done.error());
    auto words = disk.map(directory + "/words", word_count, true);
    if (!words) return std::unexpected(words.error());
    auto state = std::unique_ptr<State>{new State{disk, directory, log_class, from}};
    state->words = std::move(*words);
    if (auto done = state->list(); !done) return std::unexpected(done.error());
    state->epoch = state->word(Word::epoch);
    if (from.latest && state->epoch != 0)
        state->place = {static_cast<std::uint32_t>(state->epoch), state->word(Word::end)};
    else if (!state->segments.empty())
        state->place = {state->segments[0].header.epoch, state->segments[0].header.base};
    if (!from.name.empty()) {
        if (auto done = state->open_page(); !done) return std::unexpected(done.error());
    }
    state->place = clamp(state->place, state->segments);
    return std::unique_ptr<Reader>{new Reader{std::move(state)}};
}

Outcome<std::optional<Reader::Item>> Reader::next() {
    State& s = *state_;
    if (auto done = s.notice_epoch(); !done) return std::unexpected(done.error());
    if (auto done = s.settle_commit(); !done) return std::unexpected(done.error());
    if (s.epoch == 0) return std::nullopt;  // no writer since the machine started
    for (;;) {
        const std::uint64_t end = s.word(Word::end);
        if (s.place.position >= end) return std::nullopt;
        if (!s.file) {
            const auto entered = s.enter_segment();
            if (!entered) return std::unexpected(entered.error());
            if (!*entered) return std::nullopt;
            continue;
        }
        const auto parsed = s.parse_here(end);
        if (!parsed) return std::unexpected(parsed.error());
        if (parsed->kind != Parsed::Kind::record) {
            const auto left = s.leave_segment(parsed->kind == Parsed::Kind::bad);
            if (!left) return std::unexpected(left.error());
            if (!*left) return std::nullopt;
            continue;
        }
        Item item;
        item.offset = s.place;
        s.place.position += parsed->size;
        item.next = s.place;
        if ((parsed->header.flags & RecordHeader::only_mark) != 0) continue;
        item.record = parsed->view;
        item.ordinal = parsed->header.ordinal;
        if ((parsed->header.flags & RecordHeader::has_mark) != 0) item.mark = parsed->header.mark;
        return item;
    }
}

Outcome<std::vector<Record>> Reader::take(std::size_t records_max) {
    std::vector<Record> records;
    while (records.size() < records_max) {
        auto item = next();
        if (!item) {
            if (!records.empty()) break;  // what was read is not lost; the error comes again
            return std::unexpected(item.error());
        }
        if (!*item) break;
        const RecordView& view = (*item)->record;
        records.push_back(
            {(*item)->offset,
             (*item)->next,
             view.receive_unix_ms,
             view.identity,
             std::string{view.topic},
             std::string{view.sender},
             std::string{view.payload}}
        );
    }
    return records;
}

Outcome<void> Reader::commit(Offset next) {
    State& s = *state_;
    if (!s.page)
        return fail(
            base::Fault::bad_input, s.directory + ": a reader without a name cannot commit"
        );
    if (auto done = s.notice_epoch(); !done) return done;
    next = clamp(next, s.segments);
    if (next <= s.slot.offset) return {};
    s.wanted = next;
    return s.settle_commit();
}

void Reader::wait(std::int64_t timeout_us) {
    State& s = *state_;
    const std::uint64_t seen = s.word(Word::end);
    if (s.epoch != 0 && s.place.position < seen) return;
    s.words->wait(word_index(s.log_class, Word::end), seen, timeout_us);
}

std::uint64_t Reader::missed_bytes() {
    return std::exchange(state_->missed, 0);
}

Offset Reader::position() const {
    return state_->place;
}

Offset Reader::committed() const {
    return state_->slot.offset;
}

std::uint64_t Reader::lag_bytes() const {
    const std::uint64_t end = state_->word(Word::end);
    return end > state_->place.position ? end - state_->place.position : 0;
}

Outcome<void> Reader::seek(Offset offset) {
    State& s = *state_;
    if (auto done = s.list(); !done) return done;
    s.place = clamp(offset, s.segments);
    s.file.reset();
    s.buffer_bytes = 0;
    return {};
}

// Where to begin in that segment. The index is a hint that nobody syncs: what it says is believed
// only where such a record stands.
Offset Reader::State::indexed_start(const Segment& segment, std::int64_t receive_unix_ms) {
    const Offset start{segment.header.epoch, segment.header.base};
    auto index = disk.open(index_path(segment.path), disk::Mode::read);
    if (!index) return start;
    std::optional<IndexEntry> best;
    std::array<std::byte, index_entry_bytes> bytes{};
    for (std::uint64_t at = 0;; at += bytes.size()) {
        const auto read = (*index)->read_at(at, bytes);
        if (!read || *read < bytes.size()) break;
        const auto entry = decode_index(bytes);
        if (!entry || entry->receive_unix_ms >= receive_unix_ms) break;
        if (entry->epoch == segment.header.epoch) best = entry;
    }
    if (!best || best->position < segment.first_record()) return start;
    auto walk = Walk::open(disk, segment);
    if (!walk) return start;
    const auto parsed = walk->at(best->position);
    const bool stands = parsed && parsed->kind == Parsed::Kind::record &&
                        parsed->header.receive_unix_ms == best->receive_unix_ms;
    return stands ? Offset{start.epoch, best->position} : start;
}

Outcome<void> Reader::seek_time(std::int64_t receive_unix_ms) {
    State& s = *state_;
    if (auto done = s.list(); !done) return done;
    if (s.segments.empty()) return {};
    const Segment* start = s.segments.data();
    for (const Segment& segment : s.segments)
        if (segment.header.created_unix_ms <= receive_unix_ms) start = &segment;
    if (auto done = seek(s.indexed_start(*start, receive_unix_ms)); !done) return done;
    for (;;) {
        auto item = next();
        if (!item) return std::unexpected(item.error());
        if (!*item) return {};
        if ((*item)->record.receive_unix_ms >= receive_unix_ms) return seek((*item)->offset);
    }
}

}  // namespace stator::log
