#include "sense/node/outbox.h"

#include <algorithm>
#include <cassert>

namespace stator::node {

Outbox::Outbox(std::span<WaitingReading> readings, std::span<WaitingDeviceEvent> events)
    : readings_{readings}, events_{events} {
    assert(!readings.empty() && !events.empty());
}

std::uint64_t Outbox::next_seq() {
    if (backlog_ != nullptr) backlog_->reserve(seq_next_);
    return seq_next_++;
}

bool Outbox::crowded() const {
    const auto is = [](const auto& ring) { return ring.size() * 4 > ring.capacity() * 3; };
    return is(readings_) || is(events_);
}

bool Outbox::is_frame(const Key& key) const {
    return frame_ && key.boot == boot_ && key.seq == frame_->seq;
}

void Outbox::let_frame_go() {
    give_up_seq(frame_->seq);
    ++frames_shed_;
    frame_.reset();
}

bool Outbox::push(const Frame& frame) {
    if (frame_ || hold_ || crowded()) return false;
    frame_ = {.seq = next_seq(), .body = frame};
    return true;
}

bool Outbox::make_frame_room(wire::WaveformCause cause) {
    if (!frame_) return true;
    if (frame_->ever_sent || frame_->body.cause >= cause) return false;
    let_frame_go();
    return true;
}

void Outbox::push(const Reading& reading) {
    if (frame_ && crowded()) let_frame_go();
    const std::uint64_t seq = next_seq();
    while (readings_.full() && move_oldest()) {
    }
    if (readings_.full() && !make_room()) {
        // Only begins and ends of alarms are left: the newest telemetry gives way, or the oldest.
        if (reading.kind != ReadingKind::alarm_edge) {
            give_up_seq(seq);
            return;
        }
        give_up_seq(readings_[0].seq);
        readings_.pop_front();
    }
    readings_.push({.seq = seq, .body = reading});
}

void Outbox::push(const EventBody& event, std::int64_t time_unix_ms) {
    if (frame_ && crowded()) let_frame_go();
    const std::uint64_t seq = next_seq();
    while (events_.full() && move_oldest()) {
    }
    if (events_.full()) {
        give_up_seq(events_[0].seq);
        // A declaration that goes itself is made again, with the next.
        if (const auto* gap = std::get_if<wire::GapEvent>(&events_[0].body.body))
            shed_.add(gap->from, gap->to);
        events_.pop_front();
    }
    events_.push({.seq = seq, .body = {time_unix_ms, event}});
}

bool Outbox::make_room() {
    for (const auto kind : {ReadingKind::telemetry, ReadingKind::alarm_repeat}) {
        for (std::size_t i = 0; i < readings_.size(); ++i) {
            if (readings_[i].body.kind != kind) continue;
            give_up_seq(readings_[i].seq);
            readings_.remove(i);
            return true;
        }
    }
    return false;
}

// The oldest of both rings, so that flash has everything in order. False when it cannot be kept.
bool Outbox::move_oldest() {
    if (backlog_ == nullptr || readings_.size() + events_.size() == 0) return false;
    const bool is_reading =
        events_.size() == 0 || (readings_.size() != 0 && readings_[0].seq < events_[0].seq);
    if (is_reading) {
        const WaitingReading& oldest = readings_[0];
        if (!backlog_->keep(oldest.seq, oldest.body, oldest.sent)) {
            // Flash is full of what is worth more, or it failed: then RAM sheds as it can.
            if (oldest.body.kind != ReadingKind::alarm_repeat) return false;
            give_up_seq(oldest.seq);
        }
        readings_.pop_front();
        return true;
    }
    const WaitingDeviceEvent& oldest = events_[0];
    if (!backlog_->keep(oldest.seq, oldest.body, oldest.sent)) return false;
    events_.pop_front();
    return true;
}

void Outbox::tend(bool leaving, std::int64_t now_ms) {
    if (frame_ && (leaving || crowded() || (hold_ && !frame_->sent))) let_frame_go();
    if (backlog_ == nullptr) return;
    const int most = leaving ? 8 : 2;
    for (int i = 0; i < most; ++i) {
        if (!leaving && !crowded()) break;
        if (!move_oldest()) break;
    }
    if (leaving && in_ram() == 0 && shed_.empty()) backlog_->end(seq_next_);
    backlog_->step(now_ms);
}

void Outbox::give_up_seq(std::uint64_t seq) {
    shed_.add(seq, seq);
    ++shed_.count;
}

std::optional<Outbox::Item> Outbox::next(std::int64_t unix_ms) {
    Item item;
    for (std::size_t i = 0; i < readings_.size(); ++i) {
        const auto& waiting = readings_[i];
        if (waiting.sent || (hold_ && waiting.body.kind == ReadingKind::telemetry)) continue;
        item = {.key = {.boot = boot_, .seq = waiting.seq}, .reading = &waiting.body};
        break;
    }
    for (std::size_t i = 0; i < events_.size(); ++i) {
        const auto& waiting = events_[i];
        if (waiting.sent) continue;
        if (item.reading == nullptr || waiting.seq < item.key.seq)
            item = {.key = {.boot = boot_, .seq = waiting.seq}, .event = &waiting.body};
        break;
    }
    if (frame_ && !frame_->sent && !hold_ && (item.key.seq == 0 || frame_->seq < item.key.seq))
        item = {.key = {.boot = boot_, .seq = frame_->seq}, .frame = &frame_->body};
    if (backlog_ != nullptr) {
        const bool urgent_waits = hold_ && item.key.seq != 0;
        if (const auto older = backlog_->next(hold_, urgent_waits, unix_ms)) return older;
        if (!backlog_->lets_ram_go(hold_)) return std::nullopt;
    }
    if (item.key.seq == 0) return std::nullopt;
    return item;
}

namespace {

template <typename T, typename Change>
bool change(Ring<T>& ring, std::uint64_t seq, Change&& what) {
    for (std::size_t i = 0; i < ring.size(); ++i) {
        if (ring[i].seq != seq) continue;
        what(ring, i);
        return true;
    }
    return false;
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

void Outbox::mark_sent(const Key& key) {
    if (is_frame(key)) {
        frame_->sent = frame_->ever_sent = true;
        return;
    }
    const auto sent = [](auto& ring, std::size_t i) { ring[i].sent = ring[i].ever_sent = true; };
    const bool in_ram =
        key.boot == boot_ && (change(readings_, key.seq, sent) || change(events_, key.seq, sent));
    if (!in_ram && backlog_ != nullptr) backlog_->mark_sent(key);
}

void Outbox::forget(const Key& key) {
    if (is_frame(key)) frame_.reset();
    const auto remove = [](auto& ring, std::size_t i) { ring.remove(i); };
    if (key.boot == boot_ && !change(readings_, key.seq, remove))
        static_cast<void>(change(events_, key.seq, remove));
}

void Outbox::give_up(const Key& key) {
    forget(key);
    if (backlog_ != nullptr) backlog_->mark_sent(key);
    if (key.boot == boot_) give_up_seq(key.seq);  // of an older boot: what closes it declares it
}

void Outbox::mark_stored(const Key& key, bool hold) {
    if (key.boot == boot_) {
        drop_stored(readings_, key.seq);
        drop_stored(events_, key.seq);
        if (frame_ && frame_->ever_sent && frame_->seq <= key.seq) frame_.reset();
    }
    if (backlog_ != nullptr) backlog_->mark_stored(key);
    hold_ = hold;
}

void Outbox::mark_landed(const Key& before) {
    if (backlog_ != nullptr) backlog_->mark_stored({.boot = before.boot, .seq = before.seq - 1});
}

void Outbox::connection_lost() {
    if (frame_) frame_->sent = false;
    for (std::size_t i = 0; i < readings_.size(); ++i)
        readings_[i].sent = false;
    for (std::size_t i = 0; i < events_.size(); ++i)
        events_[i].sent = false;
    if (backlog_ != nullptr) backlog_->connection_lost();
}

bool Outbox::declare_gap(std::int64_t time_unix_ms, std::int64_t now_ms, std::int64_t gap_ms_max) {
    if (shed_.empty() || events_.full()) return false;
    // One event for the whole range once room has come back, or now and then while it does not.
    const bool over = backlog_ == nullptr ? readings_.size() * 4 < readings_.capacity() * 3
                                          : !backlog_->telemetry_full();
    if (!over && now_ms - declared_ms_ < gap_ms_max) return false;
    while (!shed_.empty() && !events_.full()) {
        const Shed::Range range = shed_.take();
        wire::GapEvent gap;
        gap.from = range.from;
        gap.to = range.to;
        gap.reason = hold_ ? "hold" : "the ring was full";
        push(gap, time_unix_ms);
    }
    declared_ms_ = now_ms;
    return true;
}

wire::DeviceEvent message_of(std::string_view device, const Outbox::Item& item) {
    wire::DeviceEvent event;
    event.device = device;
    event.time_unix_ms = item.event->time_unix_ms;
    event.boot = item.key.boot;
    event.seq = item.key.seq;
    event.what = item.event->body;
    return event;
}

}  // namespace stator::node
