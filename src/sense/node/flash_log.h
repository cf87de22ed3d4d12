// A FlashLog is a queue of records in flash that survives any power cut.
//
//   | sector | sector | ... |   used in turn, so that all wear alike
//   sector: | magic u32 | sequence u32 | crc32c u32 | done u32 | record | record | ... | 0xFF ... |
//   record: | size u16 | kind u8 | 0 | boot u32 | seq u64 | crc32c u32 | body | 0xFF to 4 bytes |
//
// append() writes behind the last record; what it returned from is there after a cut. A record that
// a cut tore is passed over at the next start, and the rest of its sector stays unused. A sector is
// freed whole, by a word of its header, and erased when its turn comes. A context is a record that
// says something of all that follow in its sector. Nothing allocates; one erase a call at most.
// Format: docs/formats/backlog.md.
#pragma once

#include "sense/hal/flash.h"
#include "shared/base/result.h"

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>

namespace stator::node {

struct Key {  // of everything that a device says
    std::uint32_t boot = 0;
    std::uint64_t seq = 0;
    friend auto operator<=>(const Key&, const Key&) = default;
};

struct LogPlace {
    std::uint32_t sequence = 0;  // of the sector
    std::uint32_t offset = 0;    // in it; 0: its begin
    std::uint32_t context = 0;   // where the last context before it lies; 0: there is none
};

[[nodiscard]] constexpr bool before(const LogPlace& a, const LogPlace& b) {
    return a.sequence != b.sequence ? a.sequence < b.sequence : a.offset < b.offset;
}

struct LogRecord {
    Key key;
    std::uint8_t kind = 0;
    std::span<const std::byte> body;
    std::span<const std::byte> context;
    LogPlace next;               // behind it
    bool damaged = false;        // something that was no record any more lay before it
    bool damaged_since = false;  // and it was written since the start: no power cut tore it
};

class FlashLog {
  public:
    static constexpr std::size_t sector_header_bytes = 16;
    static constexpr std::size_t record_header_bytes = 20;
    static constexpr std::size_t body_bytes_max = 1024;
    static constexpr std::uint8_t context_kind = 0;

    // The `sectors` from `offset` on, with what is there.
    FlashLog(hal::Flash& flash, std::size_t offset, std::uint32_t sectors, std::uint32_t magic);

    // Fault::full: the sector whose turn it is holds what is not freed. Fault::io: the flash failed
    // there; another call takes another place.
    [[nodiscard]] base::Result<void> append(
        std::uint8_t kind,
        const Key& key,
        std::span<const std::byte> body,
        std::span<const std::byte> context = {}
    );

    // The record at `place`, or the next that is whole: `place` moves to it. False behind the last;
    // `place` is then good for what comes. What is `damaged` is said in both cases.
    [[nodiscard]] bool look(LogPlace& place, LogRecord& record) const;

    // Frees the oldest sector when it lies before `place`; true when it did.
    bool free_before(const LogPlace& place);
    // Frees the oldest sector, whatever it holds.
    void drop_oldest();

    [[nodiscard]] LogPlace oldest() const { return {.sequence = tail_, .offset = 0, .context = 0}; }

    [[nodiscard]] std::uint32_t sectors_used() const { return end_ - tail_; }

    [[nodiscard]] std::uint32_t newest_sequence() const { return end_ - 1; }

    [[nodiscard]] std::uint32_t sectors() const { return sectors_; }

  private:
    [[nodiscard]] std::size_t begin_of(std::uint32_t sequence) const;
    [[nodiscard]] bool is_there(std::uint32_t sequence) const;
    [[nodiscard]] bool is_done(std::uint32_t sequence) const;
    // The bytes of the whole record there; empty when it is none.
    [[nodiscard]] std::span<const std::byte> record_at(std::uint32_t sequence, std::size_t offset)
        const;
    [[nodiscard]] bool is_blank(const LogPlace& place) const;
    [[nodiscard]] bool has_context(std::span<const std::byte> context) const;
    [[nodiscard]] base::Result<void> begin_sector();
    [[nodiscard]] base::Result<void> write(
        std::uint8_t kind, const Key& key, std::span<const std::byte> body
    );
    void find_end();

    hal::Flash& flash_;
    std::size_t offset_;
    std::uint32_t sectors_;
    std::uint32_t magic_;
    std::uint32_t tail_ = 0;  // sequence of the oldest sector in use
    std::uint32_t end_ = 0;   // behind the newest
    std::size_t write_at_ = 0;
    std::size_t context_at_ = 0;  // in the newest; 0: none
    LogPlace start_;              // what lies before it was written before the start
};

}  // namespace stator::node
