// The log's byte layout (docs/formats/log.md): segment header, record, index entry, commit page.
//
//   segment   header 64 | snapshot of marks | record | record | ... | zeros (in a reserved one)
//   record    crc 4 | payload 4 | topic 2 | sender 1 | flags 1 | epoch 4 | ordinal 8 | received 8 |
//             boot 8 | seq 8 | topic, sender, payload | zeros to a multiple of 8
//
// A record's CRC-32C covers its position too: an old record is never taken for a new one in a
// reserved segment that is used again. All numbers are little-endian. Ordinals count the records of
// all classes without a gap, so that a power cut's holes are seen across classes.
#pragma once

#include "store/log/record.h"
#include "world/outcome/outcome.h"

#include <map>
#include <optional>
#include <span>
#include <vector>

namespace stator::log {

inline constexpr std::uint32_t format_version = 1;
inline constexpr std::size_t segment_header_bytes = 64;
inline constexpr std::size_t record_header_bytes = 48;
inline constexpr std::size_t index_entry_bytes = 24;
inline constexpr std::size_t commit_slot_bytes = 64;
inline constexpr std::size_t commit_slot_stride = 4096;  // two slots, never in one sector
inline constexpr std::size_t payload_bytes_max = 1U << 20U;
inline constexpr std::size_t topic_bytes_max = 1024;
inline constexpr std::size_t sender_bytes_max = 128;
inline constexpr std::size_t senders_max = 65'536;
inline constexpr std::uint64_t index_every_bytes = 64U << 10U;

// A sender's count of what it sent: boots rise, and seq within a boot.
struct Mark {
    std::uint64_t boot = 0;
    std::uint64_t seq = 0;
    friend auto operator<=>(const Mark&, const Mark&) = default;
};

using Marks = std::map<std::string, Mark, std::less<>>;

struct SegmentHeader {
    Class log_class = Class::telemetry;
    std::uint64_t base = 0;  // position of the header itself: record positions follow from it
    std::uint32_t epoch = 0;
    std::uint32_t snapshot_bytes = 0;
    std::uint64_t synced_position = 0;  // of this class, when the segment was begun
    std::uint64_t synced_ordinal = 0;   // of all classes: every record below was synced by then
    std::int64_t created_unix_ms = 0;
    std::uint32_t snapshot_crc = 0;
};

struct RecordHeader {
    std::uint32_t crc = 0;
    std::uint32_t payload_bytes = 0;
    std::uint16_t topic_bytes = 0;
    std::uint8_t sender_bytes = 0;
    std::uint8_t flags = 0;
    std::uint32_t epoch = 0;
    std::uint64_t ordinal = 0;
    std::int64_t receive_unix_ms = 0;
    Mark mark;

    static constexpr std::uint8_t identity_bits = 3;
    static constexpr std::uint8_t has_mark = 4;
    static constexpr std::uint8_t only_mark = 8;  // no message: readers pass over it

    [[nodiscard]] std::size_t whole_bytes() const;  // with the padding
};

struct IndexEntry {
    std::uint64_t position = 0;  // of a record
    std::int64_t receive_unix_ms = 0;
    std::uint32_t epoch = 0;  // the segment's: an entry of another one was left behind
};

struct CommitSlot {
    std::uint64_t generation = 0;
    Offset offset;
    bool required = false;
};

using Bytes = std::span<const std::byte>;

// Writes into `into`, which must hold segment_header_bytes.
void encode(const SegmentHeader& header, std::span<std::byte> into);
[[nodiscard]] std::optional<SegmentHeader> decode_segment(Bytes bytes);

// The record's size, or 0 when a part exceeds its limit. `into` must be large enough: 48 + parts
// + 7.
[[nodiscard]] std::size_t encode(
    const RecordView& record, RecordHeader header, std::uint64_t position, std::span<std::byte> into
);

// What stands in the first 4 bytes of a whole record at that position.
[[nodiscard]] std::uint32_t record_crc(Bytes record, std::uint64_t position);

struct Parsed {
    enum class Kind : std::uint8_t { record, more, zeros, bad } kind = Kind::bad;
    RecordHeader header;
    RecordView view;       // into `bytes`
    std::size_t size = 0;  // of the record; for `more`: bytes needed
};

// Reads one record at `position`. `more`: it may go on after `bytes`.
[[nodiscard]] Parsed parse_record(Bytes bytes, std::uint64_t position);

[[nodiscard]] std::vector<std::byte> encode_snapshot(const Marks& marks);
[[nodiscard]] std::optional<Marks> decode_snapshot(Bytes bytes);

void encode(const IndexEntry& entry, std::span<std::byte> into);
[[nodiscard]] std::optional<IndexEntry> decode_index(Bytes bytes);

void encode(const CommitSlot& slot, std::span<std::byte> into);
[[nodiscard]] std::optional<CommitSlot> decode_commit_slot(Bytes bytes);
// The slot with the higher generation that is whole; none when neither is.
[[nodiscard]] std::optional<CommitSlot> decode_commit_page(Bytes page);

[[nodiscard]] std::string segment_name(std::uint64_t base);                      // "...0040000.log"
[[nodiscard]] std::optional<std::uint64_t> segment_base(std::string_view name);  // of a file's name

// The words that the writer publishes for each class.
enum class Word : std::uint8_t { end = 0, synced = 1, epoch = 2, first = 3, budget = 4 };

inline constexpr std::size_t words_per_class = 8;
inline constexpr std::size_t word_count = words_per_class * class_count;

[[nodiscard]] constexpr std::size_t word_index(Class c, Word w) {
    return static_cast<std::size_t>(c) * words_per_class + static_cast<std::size_t>(w);
}

}  // namespace stator::log
