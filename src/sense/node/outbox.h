// The Outbox holds what waits for the site: readings and events, until they are stored there.
//
//   push --> [ waiting --> sent ] --> the `stored` mark covers it: gone
//                 ^-- connection lost
//
// seq is gapless over everything of one boot, in the order of push. After a reconnect everything
// not yet stored goes again, in order, with its original time. A raw frame goes first, before a
// ring is full, on `hold`, and when the device leaves; when a ring is full the oldest telemetry is
// shed, then repeats of an alarm that goes on; events and the begin and end of an alarm only when
// nothing else is left. What is shed is declared by a gap event. On `hold` only alarms and events
// are sent. With a Backlog the oldest moves to flash before the ring is full, and is shed there.
// The caller owns the memory; nothing allocates.
#pragma once

#include "sense/node/backlog.h"
#include "sense/node/reading.h"
#include "sense/node/shed.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace stator::node {

template <typename T>
struct Waiting {
    std::uint64_t seq = 0;
    bool sent = false;       // on this connection
    bool ever_sent = false;  // on any
    T body{};
};

using WaitingReading = Waiting<Reading>;
using WaitingDeviceEvent = Waiting<WaitingEvent>;

// First in, first out, with removal anywhere: a ring over the caller's memory.
template <typename T>
class Ring {
  public:
    explicit Ring(std::span<T> memory) : memory_{memory} {}

    [[nodiscard]] std::size_t size() const { return size_; }

    [[nodiscard]] std::size_t capacity() const { return memory_.size(); }

    [[nodiscard]] bool full() const { return size_ == memory_.size(); }

    [[nodiscard]] T& operator[](std::size_t i) { return memory_[(first_ + i) % memory_.size()]; }

    [[nodiscard]] const T& operator[](std::size_t i) const {
        return memory_[(first_ + i) % memory_.size()];
    }

    void push(const T& item) {
        memory_[(first_ + size_) % memory_.size()] = item;
        ++size_;
    }

    void pop_front() {
        first_ = (first_ + 1) % memory_.size();
        --size_;
    }

    void remove(std::size_t index) {  // keeps the order; moves what is older
        for (std::size_t i = index; i > 0; --i)
            (*this)[i] = (*this)[i - 1];
        pop_front();
    }

  private:
    std::span<T> memory_;
    std::size_t first_ = 0;
    std::size_t size_ = 0;
};

class Outbox {
  public:
    using Item = Backlog::Item;

    Outbox(std::span<WaitingReading> readings, std::span<WaitingDeviceEvent> events);

    // This start is the boot-th; before anything is pushed.
    void start(std::uint32_t boot) { boot_ = boot; }

    // From now on flash helps. It outlives the outbox, and gives up what it must to shed().
    void use(Backlog& backlog) { backlog_ = &backlog; }

    [[nodiscard]] Shed& shed() { return shed_; }

    void push(const Reading& reading);
    void push(const EventBody& event, std::int64_t time_unix_ms);
    // One waits at a time. False, and nothing changed: it would be the first to go at once.
    bool push(const Frame& frame);

    [[nodiscard]] bool frame_waits() const { return frame_.has_value(); }

    // For one of this cause: what waits for less, and was never sent, goes. False: there is none.
    [[nodiscard]] bool make_frame_room(wire::WaveformCause cause);

    // The oldest that was not sent and may be now.
    [[nodiscard]] std::optional<Item> next(std::int64_t unix_ms = 0);
    void mark_sent(const Key& key);
    void forget(const Key& key);                  // acknowledged, and no mark will follow
    void give_up(const Key& key);                 // the site will never take it
    void mark_stored(const Key& key, bool hold);  // everything sent up to it goes
    // Everything that was sent before it is acknowledged, and no marks will follow.
    void mark_landed(const Key& before);
    void connection_lost();  // nothing counts as sent any more

    // Once a step: moves what is too much for RAM to flash, all of it when the device is about
    // to leave; frees what is stored.
    void tend(bool leaving, std::int64_t now_ms);

    // Declares what was shed; call while connected. True when an event was pushed.
    bool declare_gap(std::int64_t time_unix_ms, std::int64_t now_ms, std::int64_t gap_ms_max);

    [[nodiscard]] std::uint64_t seq_last() const { return seq_next_ - 1; }

    [[nodiscard]] std::size_t waiting() const { return in_ram() + in_flash(); }

    [[nodiscard]] std::size_t in_ram() const {
        return readings_.size() + events_.size() + (frame_ ? 1 : 0);
    }

    [[nodiscard]] std::size_t in_flash() const {
        return backlog_ == nullptr ? 0 : backlog_->waiting();
    }

    [[nodiscard]] std::uint64_t shed_count() const { return shed_.count; }

    [[nodiscard]] std::uint64_t frames_shed_count() const { return frames_shed_; }  // of those

    [[nodiscard]] bool hold() const { return hold_; }

  private:
    [[nodiscard]] bool crowded() const;
    [[nodiscard]] bool is_frame(const Key& key) const;
    void let_frame_go();
    void give_up_seq(std::uint64_t seq);
    [[nodiscard]] std::uint64_t next_seq();
    [[nodiscard]] bool move_oldest();
    [[nodiscard]] bool make_room();

    Ring<WaitingReading> readings_;
    Ring<WaitingDeviceEvent> events_;
    std::optional<Waiting<Frame>> frame_;
    Backlog* backlog_ = nullptr;
    std::uint32_t boot_ = 1;
    std::uint64_t seq_next_ = 1;
    Shed shed_;
    std::uint64_t frames_shed_ = 0;
    std::int64_t declared_ms_ = 0;
    bool hold_ = false;
};

// Of an item that is an event: what goes out.
[[nodiscard]] wire::DeviceEvent message_of(std::string_view device, const Outbox::Item& item);

}  // namespace stator::node
