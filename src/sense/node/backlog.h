// The Backlog is the outbox's second room: what RAM cannot hold waits in flash, over restarts.
//
//   | urgent: alarms, events, reserves | telemetry |     two FlashLogs, a quarter and the rest
//
// Both are in the order of (boot, seq) and are sent in that order, each thing with the time, boot
// and seq that it had. Nothing of a boot is sent before everything older is stored, for a site
// knows one boot of a device at a time. A thing leaves when it was sent and the mark covers it, or
// when the mark is of a later boot.
//
// A reserve says up to which number a boot may count without saying more. So the next boot knows
// where the numbers of the one before ended, and closes it: with a gap of what is missing of it,
// under the reserve's own number, which nothing else has. When telemetry overflows its oldest
// sector is shed; repeats of an alarm are not taken any more when the urgent log is nearly full;
// other alarms and events only go when it is full. On hold, telemetry of an older boot is shed
// when it keeps something urgent waiting. Nothing allocates; a call is bounded.
// Format: docs/formats/backlog.md.
#pragma once

#include "sense/node/flash_log.h"
#include "sense/node/reading.h"
#include "sense/node/shed.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace stator::node {

struct BacklogFacts {
    std::string_view device;
    std::string_view firmware;
    std::uint32_t feature_set = 0;
    std::size_t feature_count = 0;
    std::span<const wire::FileName> models;  // what Reading::model counts
};

struct Origin {  // of a reading: what the present start may no longer know
    wire::FileName model;
    wire::Word firmware;
};

class Backlog {
  public:
    static constexpr std::size_t sectors_min = 8;
    static constexpr std::uint64_t reserve_numbers = 64;

    struct Item {  // one of the first four
        Key key;
        const Reading* reading = nullptr;
        const Frame* frame = nullptr;         // never of the backlog: it is the first to go
        const WaitingEvent* event = nullptr;  // the gap that closes a boot
        std::string_view json;                // an event as it was
        const Origin* origin = nullptr;       // of the reading
    };

    // At least sectors_min sectors. `facts` and `shed` outlive it.
    Backlog(hal::Flash& flash, std::uint32_t boot, const BacklogFacts& facts, Shed& shed);

    // Of the present boot, rising; `sent`: on this connection. False: not kept, not shed either.
    [[nodiscard]] bool keep(std::uint64_t seq, const Reading& reading, bool sent);
    [[nodiscard]] bool keep(std::uint64_t seq, const WaitingEvent& event, bool sent);
    // Before a number is used: so that it lies below what is reserved.
    void reserve(std::uint64_t seq_next);
    // `seq_next` will not be used any more: the end is known exactly.
    void end(std::uint64_t seq_next);

    // The oldest that was not sent and may be now. `urgent_waits`: in RAM.
    [[nodiscard]] std::optional<Item> next(bool hold, bool urgent_waits, std::int64_t unix_ms);
    // Nothing here comes before what is in RAM.
    [[nodiscard]] bool lets_ram_go(bool hold);
    void mark_sent(const Key& key);
    void mark_stored(const Key& key);
    void connection_lost();

    // Frees what is done; at most one sector. `now_ms`: of a clock that never goes back.
    void step(std::int64_t now_ms);

    [[nodiscard]] std::size_t waiting() const { return telemetry_.count + urgent_.count; }

    [[nodiscard]] bool telemetry_full() const;

    // Reserves of older boots that went with a full urgent log: what is missing of such a boot may
    // stay undeclared.
    [[nodiscard]] std::uint32_t ends_lost() const { return ends_lost_; }

  private:
    struct Lane {
        FlashLog log;
        LogPlace done{};
        LogPlace sent{};
        Key last_sent{};
        std::uint64_t newest_seq = 0;  // of this boot
        std::size_t count = 0;         // not done; reserves not counted
        bool damaged = false;          // a region that was walked over, and not yet declared
    };

    [[nodiscard]] bool append(
        Lane& lane,
        std::uint8_t kind,
        const Key& key,
        std::span<const std::byte> body,
        std::span<const std::byte> context,
        bool sent
    );
    void drop_oldest(Lane& lane);
    void count(Lane& lane) const;
    // Passes over what is done; false when a call was not enough for that.
    bool settle(Lane& lane);
    [[nodiscard]] bool is_done(const LogRecord& record) const;
    [[nodiscard]] bool look(Lane& lane, LogRecord& record);
    [[nodiscard]] std::uint32_t lowest_boot();
    [[nodiscard]] std::optional<Item> close(std::uint32_t boot, std::int64_t unix_ms);
    [[nodiscard]] bool give_up_telemetry(std::uint32_t boot);
    [[nodiscard]] bool decode(const LogRecord& record);

    std::uint32_t boot_;
    const BacklogFacts& facts_;
    Shed& shed_;
    Lane urgent_;
    Lane telemetry_;
    std::uint64_t reserved_ = 0;        // numbers below it may be used
    std::uint32_t reserve_sector_ = 0;  // where that is written
    Key stored_;                        // everything up to it is, or was declared lost
    Key reserve_;                       // the last that the walk over what is to be sent has passed
    std::uint32_t ends_lost_ = 0;
    bool old_is_whole_ = true;  // nothing that an older boot had kept was given up
    std::int64_t now_ms_ = 0;
    std::int64_t heard_ms_ = 0;  // when something was last sent, or a mark came
    Key closing_key_;            // of closing_
    Key closing_sent_;
    Reading reading_;
    Origin origin_;
    WaitingEvent closing_;
};

}  // namespace stator::node
