#include "store/log/writer.h"

#include "store/log/writer_state.h"

#include <fmt/format.h>

#include <algorithm>

namespace stator::log {
namespace {

constexpr std::int64_t refresh_every_us = 100'000;  // a full log looks again no more often

}  // namespace

Outcome<void> Writer::State::start() {
    for (std::size_t i = 0; i < class_count; ++i)
        if (auto done = restore_gathered(disk, directory, static_cast<Class>(i)); !done)
            return done;
    auto recovered = recover(disk, directory, budgets);
    if (!recovered) return std::unexpected(recovered.error());
    report = recovered->report;
    const bool fresh = recovered->epoch == 0;
    epoch = fresh ? 1 : recovered->epoch + (report.repaired ? 1 : 0);
    // First every cut and sync, in all classes: the headers to come say that all this is synced.
    for (std::size_t i = 0; i < class_count; ++i) {
        if (auto done = classes[i].adopt(recovered->classes[i]); !done) return done;
    }
    next_ordinal = recovered->next_ordinal;
    synced_ordinal = next_ordinal;
    synced_marks = std::move(recovered->marks);
    for (const auto& [sender, mark] : synced_marks)
        tails[sender] = {mark, false};
    unsynced_marks.reserve(senders_max);
    if (auto done = read_places(); !done) return done;
    for (std::size_t i = 0; i < class_count; ++i) {
        const auto c = static_cast<Class>(i);
        ClassWriter& log = classes[i];
        if (auto done = log.fill_reserve(); !done) {
            if (done.error().fault != base::Fault::full) return done;
            report.notes.push_back("no space for the reserve: " + done.error().what);
        }
        // A class that a cut kept from the new epoch last time enters it now.
        if (log.last_epoch() != epoch) {
            while (!log.room_for_segment()) {
                auto gone = log.retire_oldest(pins[i].position);
                if (!gone) return std::unexpected(gone.error());
                if (!*gone) break;
            }
            if (auto done = begin_segment(c); !done) return done;
        } else if (auto done = log.resume(); !done) {
            return done;
        }
        if (auto done = log.gather(gathering_path(directory, c)); !done) return done;
        publish(c, Word::synced, log.synced());
        publish(c, Word::first, log.first());
        publish(c, Word::budget, log.budget().bytes);
        publish(c, Word::end, log.end());
        publish(c, Word::epoch, epoch);
    }
    return {};
}

Outcome<void> Writer::State::read_places() {
    refreshed_us = clock.monotonic_us();
    auto places = list_places(disk, directory);
    if (!places) return std::unexpected(places.error());
    pins = {};
    for (const auto& [reader, log_class] : budgets.required) {
        const bool known = std::ranges::any_of(*places, [&](const Place& place) {
            return place.reader == reader && place.log_class == log_class;
        });
        if (!known) pins[index_of(log_class)] = {0, reader};
    }
    for (const Place& place : *places) {
        if (!place.slot.required) continue;
        Pin& pin = pins[index_of(place.log_class)];
        if (place.slot.offset.position < pin.position)
            pin = {place.slot.offset.position, place.reader};
    }
    return {};
}

double Writer::State::fill(Class c) const {
    const ClassWriter& log = classes[index_of(c)];
    if (disk_full && !log.budget().reserved) return 1;
    const std::uint64_t position = pins[index_of(c)].position;
    if (position >= log.end()) return 0;
    return static_cast<double>(log.end() - log.base_holding(position)) /
           static_cast<double>(log.budget().bytes);
}

void Writer::State::update_hold(Class c) {
    const double full = fill(c);
    bool& held_here = held[index_of(c)];
    if (full >= hold_at) held_here = true;
    if (full < resume_at) held_here = false;
}

Outcome<void> Writer::State::make_room(Class c, std::size_t bytes) {
    ClassWriter& log = of(c);
    if (log.fits(bytes)) return {};
    const std::size_t head = segment_header_bytes + synced_marks.size() * (17 + sender_bytes_max);
    if (head / 2 + bytes > log.budget().segment_bytes && bytes + 1024 > log.budget().segment_bytes)
        return fail(
            base::Fault::full,
            fmt::format(
                "{}/{}: a record of {} bytes does not fit into a segment of {}",
                directory,
                name_of(c),
                bytes,
                log.budget().segment_bytes
            )
        );
    if (!log.room_for_segment()) {
        // Readers are asked before anything is deleted: one may have come since. But a full log
        // that found nothing to delete does not ask again for every message that it refuses.
        const bool lately = clock.monotonic_us() - refreshed_us < refresh_every_us;
        if (!stuck[index_of(c)] || !lately) {
            if (auto done = read_places(); !done) return done;
            while (!log.fits(bytes) && !log.room_for_segment()) {
                auto gone = log.retire_oldest(pins[index_of(c)].position);
                if (log.unsure()) broken = unsure_text(c);
                if (!gone) return std::unexpected(gone.error());
                if (!*gone) break;
            }
            stuck[index_of(c)] = !log.fits(bytes) && !log.room_for_segment();
        }
        publish(c, Word::first, log.first());
    }
    update_hold(c);
    if (log.fits(bytes)) return {};
    if (!log.room_for_segment()) {
        const std::string& who = pins[index_of(c)].reader;
        return fail(
            base::Fault::full,
            fmt::format(
                "{}/{}: the budget of {} bytes is used up; {}",
                directory,
                name_of(c),
                log.budget().bytes,
                who.empty() ? "sync the log" : "reader '" + who + "' must go on first"
            )
        );
    }
    return begin_segment(c);
}

Outcome<Tails::value_type*> Writer::State::tail_of(std::string_view sender) {
    const auto found = tails.find(sender);
    if (found != tails.end()) return &*found;
    if (sender.empty() || sender.size() > sender_bytes_max)
        return fail(base::Fault::bad_input, "a mark needs a sender of 1 to 128 bytes");
    if (tails.size() >= senders_max)
        return fail(
            base::Fault::full, fmt::format("{}: more than {} senders", directory, senders_max)
        );
    return &*tails.emplace(sender, Tail{}).first;
}

Outcome<Offset> Writer::State::append(
    Class c, const RecordView& record, std::uint8_t flags, const std::optional<Mark>& mark
) {
    if (!broken.empty()) return fail(base::Fault::io, broken);
    Tails::value_type* tail = nullptr;
    RecordHeader header;
    header.flags = flags;
    header.epoch = epoch;
    header.ordinal = next_ordinal;
    if (mark) {
        auto found = tail_of(record.sender);
        if (!found) return std::unexpected(found.error());
        tail = *found;
        header.flags |= RecordHeader::has_mark;
        header.mark = *mark;
    }
    const std::size_t most = record_header_bytes + record.topic.size() + record.sender.size() +
                             record.payload.size() + 7;
    if (record.payload.size() > payload_bytes_max || record.topic.size() > topic_bytes_max ||
        record.sender.size() > sender_bytes_max)
        return fail(
            base::Fault::bad_input,
            fmt::format("{}: a record of {} bytes exceeds the log's limits", directory, most)
        );
    auto room = make_room(c, most);
    ClassWriter& log = of(c);
    const Offset offset{epoch, log.end()};
    if (room) room = put(log, c, record, header, most);
    if (!room) {
        const bool budget = !log.fits(most) && !log.room_for_segment();
        if (room.error().fault == base::Fault::full && !budget && !log.budget().reserved)
            disk_full = true;
        for (std::size_t i = 0; i < class_count; ++i)
            update_hold(static_cast<Class>(i));
        return std::unexpected(room.error());
    }
    ++next_ordinal;
    unsynced = true;
    if (tail != nullptr && *mark > tail->second.appended) {
        tail->second.appended = *mark;
        if (!std::exchange(tail->second.unsynced, true)) unsynced_marks.push_back(tail);
    }
    if (log.readable() == log.end()) publish(c, Word::end, log.end());
    return offset;
}

Outcome<void> Writer::State::put(
    ClassWriter& log,
    Class c,
    const RecordView& record,
    const RecordHeader& header,
    std::size_t bytes_most
) {
    if (log.gathers(bytes_most)) {
        if (log.gathering_room(bytes_most).empty())
            if (auto done = hand_over(c); !done) return done;
        const std::span<std::byte> room = log.gathering_room(bytes_most);
        log.gathered(encode(record, header, log.end(), room), record.receive_unix_ms);
        return {};
    }
    if (auto done = hand_over(c); !done) return done;
    const std::size_t size = encode(record, header, log.end(), buffer);
    return log.append(Bytes{buffer}.first(size), record.receive_unix_ms);
}

Writer::Writer(std::unique_ptr<State> state) : state_{std::move(state)} {}

Writer::~Writer() = default;

Outcome<std::unique_ptr<Writer>> Writer::open(
    disk::Disk& disk, clock::Clock& clock, const std::string& directory, const Budgets& budgets
) {
    for (std::size_t i = 0; i < class_count; ++i) {
        const auto c = static_cast<Class>(i);
        const Budget& budget = budgets.of(c);
        if (budget.bytes < 4096 || budget.segment_bytes == 0)
            return fail(
                base::Fault::bad_input,
                fmt::format("{}: the budget of {} is below 4096 bytes", directory, name_of(c))
            );
        if (auto done = disk.make_directories(directory_of(directory, c)); !done)
            return std::unexpected(done.error());
    }
    if (auto done = disk.make_directories(directory + "/readers"); !done)
        return std::unexpected(done.error());
    auto state = std::make_unique<State>(disk, clock, directory, budgets);
    auto lock = disk.lock(directory + "/lock");
    if (!lock) {
        if (lock.error().fault == base::Fault::again)
            return fail(
                base::Fault::again,
                directory + ": another process writes this log; stop that one first"
            );
        return std::unexpected(lock.error());
    }
    state->lock = std::move(*lock);
    auto words = disk.map(directory + "/words", word_count, true);
    if (!words) return std::unexpected(words.error());
    state->words = std::move(*words);
    if (auto done = state->start(); !done) return std::unexpected(done.error());
    return std::unique_ptr<Writer>{new Writer{std::move(state)}};
}

Outcome<Offset> Writer::append(
    Class log_class, const RecordView& record, const std::optional<Mark>& mark
) {
    return state_->append(log_class, record, 0, mark);
}

Outcome<void> Writer::set_mark(std::string_view sender, Mark mark) {
    RecordView record;
    record.identity = Identity::self;
    record.sender = sender;
    record.receive_unix_ms = state_->clock.unix_ms();
    auto done = state_->append(Class::control, record, RecordHeader::only_mark, mark);
    if (!done) return std::unexpected(done.error());
    return {};
}

std::optional<Mark> Writer::synced_mark(std::string_view sender) const {
    const auto found = state_->synced_marks.find(sender);
    if (found == state_->synced_marks.end()) return std::nullopt;
    return found->second;
}

const Marks& Writer::synced_marks() const {
    return state_->synced_marks;
}

double Writer::fill(Class log_class) const {
    return state_->fill(log_class);
}

bool Writer::hold(Class log_class) const {
    return state_->held[index_of(log_class)];
}

Offset Writer::end(Class log_class) const {
    return {state_->epoch, state_->of(log_class).end()};
}

std::uint64_t Writer::bytes(Class log_class) const {
    return state_->of(log_class).bytes();
}

std::uint64_t Writer::synced_ordinal() const {
    return state_->synced_ordinal;
}

const RepairReport& Writer::repair_report() const {
    return state_->report;
}

}  // namespace stator::log
