// The Outbox holds what waits for the site: readings and events, until they are stored there.
//
//   push --> [ waiting --> sent ] --> the `stored` mark covers it: gone
//                 ^-- connection lost
//
// seq is gapless over everything of one boot, in the order of push. After a reconnect everything
// not yet stored goes again, in order, with its original time. When the ring is full the oldest
// telemetry is shed first, then repeats of an alarm that goes on; events and the begin and end of
// an alarm only when nothing else is left. What is shed is declared by a gap event. On `hold` only
// alarms and events are sent. The caller owns the memory; nothing allocates.
#pragma once

#include "shared/asset/asset.h"
#include "shared/base/result.h"
#include "shared/wire/messages.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace stator::node {

enum class ReadingKind : std::uint8_t { telemetry, alarm_repeat, alarm_edge };

struct Reading {
    std::int64_t time_unix_ms = 0;
    std::array<float, asset::features_max> features{};  // NaN: missing
    float value = 0.0F;
    float threshold = 0.5F;
    ReadingKind kind = ReadingKind::telemetry;
    bool judged = false;  // a model gave `value`
    bool alarm = false;
    bool cleared = false;
    bool clock_synced = false;
    std::uint8_t model = 0;  // index into the names of the models that ran
};

using EventBody = decltype(wire::DeviceEvent::what);

template <typename T>
struct Waiting {
    std::uint64_t seq = 0;
    bool sent = false;       // on this connection
    bool ever_sent = false;  // on any
    T body{};
};

struct WaitingEvent {
    std::int64_t time_unix_ms = 0;
    EventBody body;
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
    struct Item {  // what to send next; exactly one of the two
        std::uint64_t seq = 0;
        const Reading* reading = nullptr;
        const WaitingEvent* event = nullptr;
    };

    Outbox(std::span<WaitingReading> readings, std::span<WaitingDeviceEvent> events);

    void push(const Reading& reading);
    void push(const EventBody& event, std::int64_t time_unix_ms);

    // The oldest that was not sent and may be now.
    [[nodiscard]] std::optional<Item> next() const;
    void mark_sent(std::uint64_t seq);
    void forget(std::uint64_t seq);                  // acknowledged, and no mark will follow
    void mark_stored(std::uint64_t seq, bool hold);  // everything sent up to seq goes
    void connection_lost();                          // nothing counts as sent any more

    // Declares what was shed; call while connected. True when an event was pushed.
    bool declare_gap(std::int64_t time_unix_ms, std::int64_t now_ms, std::int64_t gap_ms_max);

    [[nodiscard]] std::uint64_t seq_last() const { return seq_next_ - 1; }

    [[nodiscard]] std::size_t waiting() const { return readings_.size() + events_.size(); }

    [[nodiscard]] std::uint64_t shed_count() const { return shed_count_; }

    [[nodiscard]] bool hold() const { return hold_; }

  private:
    void shed(std::uint64_t seq);
    [[nodiscard]] bool make_room();

    Ring<WaitingReading> readings_;
    Ring<WaitingDeviceEvent> events_;
    std::uint64_t seq_next_ = 1;
    std::uint64_t shed_from_ = 0;  // 0: nothing to declare
    std::uint64_t shed_to_ = 0;
    std::uint64_t shed_count_ = 0;
    std::int64_t declared_ms_ = 0;
    bool hold_ = false;
};

}  // namespace stator::node
