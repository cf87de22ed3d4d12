#include "sense/node/outbox.h"

#include <algorithm>
#include <cassert>

namespace stator::node {

Outbox::Outbox(std::span<WaitingReading> readings, std::span<WaitingDeviceEvent> events)
    : readings_{readings}, events_{events} {
    assert(!readings.empty() && !events.empty());
}

void Outbox::push(const Reading& reading) {
    const std::uint64_t seq = seq_next_++;
    if (readings_.full() && !make_room()) {
        // Only begins and ends of alarms are left: the newest telemetry gives way, or the oldest.
        if (reading.kind != ReadingKind::alarm_edge) {
            shed(seq);
            return;
        }
        shed(readings_[0].seq);
        readings_.pop_front();
    }
    readings_.push({.seq = seq, .body = reading});
}

void Outbox::push(const EventBody& event, std::int64_t time_unix_ms) {
    const std::uint64_t seq = seq_next_++;
    if (events_.full()) {
        shed(events_[0].seq);
        // A declaration that goes itself is made again, with the next.
        if (const auto* gap = std::get_if<wire::GapEvent>(&events_[0].body.body)) {
            shed_from_ = std::min(shed_from_, gap->from);
            shed_to_ = std::max(shed_to_, gap->to);
        }
        events_.pop_front();
    }
    events_.push({.seq = seq, .body = {time_unix_ms, event}});
}

bool Outbox::make_room() {
    for (const auto kind : {ReadingKind::telemetry, ReadingKind::alarm_repeat}) {
        for (std::size_t i = 0; i < readings_.size(); ++i) {
            if (readings_[i].body.kind != kind) continue;
            shed(readings_[i].seq);
            readings_.remove(i);
            return true;
        }
    }
    return false;
}

void Outbox::shed(std::uint64_t seq) {
    shed_from_ = shed_from_ == 0 ? seq : std::min(shed_from_, seq);
    shed_to_ = std::max(shed_to_, seq);
    ++shed_count_;
}

std::optional<Outbox::Item> Outbox::next() const {
    Item item;
    for (std::size_t i = 0; i < readings_.size(); ++i) {
        const auto& waiting = readings_[i];
        if (waiting.sent || (hold_ && waiting.body.kind == ReadingKind::telemetry)) continue;
        item = {.seq = waiting.seq, .reading = &waiting.body, .event = nullptr};
        break;
    }
    for (std::size_t i = 0; i < events_.size(); ++i) {
        const auto& waiting = events_[i];
        if (waiting.sent) continue;
        if (item.reading == nullptr || waiting.seq < item.seq)
            item = {.seq = waiting.seq, .reading = nullptr, .event = &waiting.body};
        break;
    }
    if (item.seq == 0) return std::nullopt;
    return item;
}

namespace {

template <typename T, typename Change>
void change(Ring<T>& ring, std::uint64_t seq, Change&& what) {
    for (std::size_t i = 0; i < ring.size(); ++i)
        if (ring[i].seq == seq) what(ring, i);
}

template <typename T>
void drop_stored(Ring<T>& ring, std::uint64_t seq) {
    for (std::size_t i = 0; i < ring.size() && ring[i].seq <= seq;)
        if (ring[i].ever_sent)
            ring.remove(i);
        else
            ++i;
}

}  // namespace

void Outbox::mark_sent(std::uint64_t seq) {
    const auto sent = [](auto& ring, std::size_t i) { ring[i].sent = ring[i].ever_sent = true; };
    change(readings_, seq, sent);
    change(events_, seq, sent);
}

void Outbox::forget(std::uint64_t seq) {
    const auto remove = [](auto& ring, std::size_t i) { ring.remove(i); };
    change(readings_, seq, remove);
    change(events_, seq, remove);
}

void Outbox::mark_stored(std::uint64_t seq, bool hold) {
    drop_stored(readings_, seq);
    drop_stored(events_, seq);
    hold_ = hold;
}

void Outbox::connection_lost() {
    for (std::size_t i = 0; i < readings_.size(); ++i)
        readings_[i].sent = false;
    for (std::size_t i = 0; i < events_.size(); ++i)
        events_[i].sent = false;
}

bool Outbox::declare_gap(std::int64_t time_unix_ms, std::int64_t now_ms, std::int64_t gap_ms_max) {
    if (shed_from_ == 0 || events_.full()) return false;
    // One event for the whole range once room has come back, or now and then while it does not.
    const bool over = readings_.size() * 4 < readings_.capacity() * 3;
    if (!over && now_ms - declared_ms_ < gap_ms_max) return false;
    wire::GapEvent gap;
    gap.from = shed_from_;
    gap.to = shed_to_;
    gap.reason = hold_ ? "hold" : "the ring was full";
    shed_from_ = shed_to_ = 0;
    declared_ms_ = now_ms;
    push(gap, time_unix_ms);
    return true;
}

}  // namespace stator::node
