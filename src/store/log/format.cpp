#include "store/log/format.h"

#include "shared/base/crc32c.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

namespace stator::log {
namespace {

constexpr std::string_view segment_magic = "STATORLG";
constexpr std::string_view commit_magic = "STATORCP";

template <typename T>
void put(std::span<std::byte> into, std::size_t at, T value) {
    static_assert(std::is_unsigned_v<T>);
    for (std::size_t i = 0; i < sizeof(T); ++i)
        into[at + i] = static_cast<std::byte>((std::uint64_t{value} >> (8 * i)) & 0xFFU);
}

template <typename T>
T get(Bytes from, std::size_t at) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i)
        value |= std::to_integer<std::uint64_t>(from[at + i]) << (8 * i);
    return static_cast<T>(value);
}

void put_text(std::span<std::byte> into, std::size_t at, std::string_view text) {
    if (!text.empty()) std::memcpy(into.data() + at, text.data(), text.size());
}

std::string_view text_at(Bytes from, std::size_t at, std::size_t size) {
    return {reinterpret_cast<const char*>(from.data()) + at, size};
}

bool is_zero(Bytes bytes) {
    return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace

std::size_t RecordHeader::whole_bytes() const {
    const std::size_t parts = record_header_bytes + topic_bytes + sender_bytes + payload_bytes;
    return (parts + 7) / 8 * 8;
}

void encode(const SegmentHeader& header, std::span<std::byte> into) {
    assert(into.size() >= segment_header_bytes);
    put_text(into, 0, segment_magic);
    put(into, 8, format_version);
    put(into, 12, static_cast<std::uint32_t>(header.log_class));
    put(into, 16, header.base);
    put(into, 24, header.epoch);
    put(into, 28, header.snapshot_bytes);
    put(into, 32, header.synced_position);
    put(into, 40, header.synced_ordinal);
    put(into, 48, static_cast<std::uint64_t>(header.created_unix_ms));
    put(into, 56, header.snapshot_crc);
    put(into, 60, base::crc32c(into.first(60)));
}

std::optional<SegmentHeader> decode_segment(Bytes bytes) {
    if (bytes.size() < segment_header_bytes || text_at(bytes, 0, 8) != segment_magic ||
        get<std::uint32_t>(bytes, 8) != format_version ||
        get<std::uint32_t>(bytes, 12) >= class_count ||
        get<std::uint32_t>(bytes, 60) != base::crc32c(bytes.first(60)))
        return std::nullopt;
    SegmentHeader header;
    header.log_class = static_cast<Class>(get<std::uint32_t>(bytes, 12));
    header.base = get<std::uint64_t>(bytes, 16);
    header.epoch = get<std::uint32_t>(bytes, 24);
    header.snapshot_bytes = get<std::uint32_t>(bytes, 28);
    header.synced_position = get<std::uint64_t>(bytes, 32);
    header.synced_ordinal = get<std::uint64_t>(bytes, 40);
    header.created_unix_ms = static_cast<std::int64_t>(get<std::uint64_t>(bytes, 48));
    header.snapshot_crc = get<std::uint32_t>(bytes, 56);
    return header;
}

std::size_t encode(
    const RecordView& record, RecordHeader header, std::uint64_t position, std::span<std::byte> into
) {
    if (record.payload.size() > payload_bytes_max || record.topic.size() > topic_bytes_max ||
        record.sender.size() > sender_bytes_max)
        return 0;
    header.payload_bytes = static_cast<std::uint32_t>(record.payload.size());
    header.topic_bytes = static_cast<std::uint16_t>(record.topic.size());
    header.sender_bytes = static_cast<std::uint8_t>(record.sender.size());
    header.flags = static_cast<std::uint8_t>(header.flags | static_cast<unsigned>(record.identity));
    const std::size_t size = header.whole_bytes();
    assert(into.size() >= size);
    put(into, 4, header.payload_bytes);
    put(into, 8, header.topic_bytes);
    put(into, 10, header.sender_bytes);
    put(into, 11, header.flags);
    put(into, 12, header.epoch);
    put(into, 16, header.ordinal);
    put(into, 24, static_cast<std::uint64_t>(record.receive_unix_ms));
    put(into, 32, header.mark.boot);
    put(into, 40, header.mark.seq);
    std::size_t at = record_header_bytes;
    for (const std::string_view part : {record.topic, record.sender, record.payload}) {
        put_text(into, at, part);
        at += part.size();
    }
    std::fill(
        into.begin() + static_cast<std::ptrdiff_t>(at),
        into.begin() + static_cast<std::ptrdiff_t>(size),
        std::byte{0}
    );
    put(into, 0, record_crc(into.first(size), position));
    return size;
}

std::uint32_t record_crc(Bytes record, std::uint64_t position) {
    std::array<std::byte, 8> seed{};
    put(std::span<std::byte>{seed}, 0, position);
    return base::crc32c(record.subspan(4), base::crc32c(seed));
}

Parsed parse_record(Bytes bytes, std::uint64_t position) {
    Parsed parsed;
    if (bytes.size() < record_header_bytes) {
        parsed.kind = is_zero(bytes) ? Parsed::Kind::zeros : Parsed::Kind::more;
        parsed.size = record_header_bytes;
        return parsed;
    }
    RecordHeader& h = parsed.header;
    h.crc = get<std::uint32_t>(bytes, 0);
    h.payload_bytes = get<std::uint32_t>(bytes, 4);
    h.topic_bytes = get<std::uint16_t>(bytes, 8);
    h.sender_bytes = get<std::uint8_t>(bytes, 10);
    h.flags = get<std::uint8_t>(bytes, 11);
    h.epoch = get<std::uint32_t>(bytes, 12);
    h.ordinal = get<std::uint64_t>(bytes, 16);
    h.receive_unix_ms = static_cast<std::int64_t>(get<std::uint64_t>(bytes, 24));
    h.mark = {get<std::uint64_t>(bytes, 32), get<std::uint64_t>(bytes, 40)};
    if (h.ordinal == 0) {
        // Ordinals begin at 1, so a header of zeros is space that was never written.
        if (is_zero(bytes.first(record_header_bytes))) parsed.kind = Parsed::Kind::zeros;
        return parsed;
    }
    if (h.payload_bytes > payload_bytes_max || h.topic_bytes > topic_bytes_max ||
        h.sender_bytes > sender_bytes_max || h.flags > 15)
        return parsed;
    parsed.size = h.whole_bytes();
    if (bytes.size() < parsed.size) {
        parsed.kind = Parsed::Kind::more;
        return parsed;
    }
    if (record_crc(bytes.first(parsed.size), position) != h.crc) return parsed;
    parsed.kind = Parsed::Kind::record;
    RecordView& view = parsed.view;
    view.receive_unix_ms = h.receive_unix_ms;
    view.identity = static_cast<Identity>(h.flags & RecordHeader::identity_bits);
    std::size_t at = record_header_bytes;
    view.topic = text_at(bytes, at, h.topic_bytes);
    view.sender = text_at(bytes, at += h.topic_bytes, h.sender_bytes);
    view.payload = text_at(bytes, at + h.sender_bytes, h.payload_bytes);
    return parsed;
}

std::vector<std::byte> encode_snapshot(const Marks& marks) {
    std::size_t size = 0;
    for (const auto& [sender, mark] : marks)
        size += 17 + sender.size();
    std::vector<std::byte> bytes((size + 7) / 8 * 8);
    std::size_t at = 0;
    for (const auto& [sender, mark] : marks) {
        put(std::span{bytes}, at, static_cast<std::uint8_t>(sender.size()));
        put_text(bytes, at + 1, sender);
        at += 1 + sender.size();
        put(std::span{bytes}, at, mark.boot);
        put(std::span{bytes}, at + 8, mark.seq);
        at += 16;
    }
    return bytes;
}

std::optional<Marks> decode_snapshot(Bytes bytes) {
    Marks marks;
    std::size_t at = 0;
    while (at < bytes.size()) {
        const auto size = get<std::uint8_t>(bytes, at);
        if (size == 0) {  // the padding
            if (!is_zero(bytes.subspan(at))) return std::nullopt;
            break;
        }
        if (bytes.size() - at < std::size_t{17} + size) return std::nullopt;
        marks[std::string{text_at(bytes, at + 1, size)}] = {
            get<std::uint64_t>(bytes, at + 1 + size), get<std::uint64_t>(bytes, at + 9 + size)
        };
        at += std::size_t{17} + size;
    }
    return marks;
}

void encode(const IndexEntry& entry, std::span<std::byte> into) {
    put(into, 0, entry.position);
    put(into, 8, static_cast<std::uint64_t>(entry.receive_unix_ms));
    put(into, 16, entry.epoch);
    put(into, 20, base::crc32c(into.first(20)));
}

std::optional<IndexEntry> decode_index(Bytes bytes) {
    if (bytes.size() < index_entry_bytes ||
        get<std::uint32_t>(bytes, 20) != base::crc32c(bytes.first(20)))
        return std::nullopt;
    return IndexEntry{
        get<std::uint64_t>(bytes, 0),
        static_cast<std::int64_t>(get<std::uint64_t>(bytes, 8)),
        get<std::uint32_t>(bytes, 16)
    };
}

void encode(const CommitSlot& slot, std::span<std::byte> into) {
    std::ranges::fill(into.first(commit_slot_bytes), std::byte{0});
    put_text(into, 0, commit_magic);
    put(into, 8, format_version);
    put(into, 12, std::uint32_t{slot.required});
    put(into, 16, slot.generation);
    put(into, 24, slot.offset.position);
    put(into, 32, slot.offset.epoch);
    put(into, 60, base::crc32c(into.first(60)));
}

std::optional<CommitSlot> decode_commit_slot(Bytes bytes) {
    if (bytes.size() < commit_slot_bytes || text_at(bytes, 0, 8) != commit_magic ||
        get<std::uint32_t>(bytes, 8) != format_version ||
        get<std::uint32_t>(bytes, 60) != base::crc32c(bytes.first(60)))
        return std::nullopt;
    return CommitSlot{
        get<std::uint64_t>(bytes, 16),
        {get<std::uint32_t>(bytes, 32), get<std::uint64_t>(bytes, 24)},
        get<std::uint32_t>(bytes, 12) != 0
    };
}

std::optional<CommitSlot> decode_commit_page(Bytes page) {
    std::optional<CommitSlot> best;
    for (const std::size_t at : {std::size_t{0}, commit_slot_stride}) {
        if (page.size() < at) continue;
        const auto slot = decode_commit_slot(page.subspan(at));
        if (slot && (!best || slot->generation > best->generation)) best = slot;
    }
    return best;
}

std::string segment_name(std::uint64_t base) {
    return fmt::format("{:016x}.log", base);
}

std::optional<std::uint64_t> segment_base(std::string_view name) {
    if (name.size() != 20 || !name.ends_with(".log")) return std::nullopt;
    std::uint64_t base = 0;
    for (const char c : name.substr(0, 16)) {
        const bool digit = c >= '0' && c <= '9';
        if (!digit && (c < 'a' || c > 'f')) return std::nullopt;
        base = base * 16 + static_cast<std::uint64_t>(digit ? c - '0' : c - 'a' + 10);
    }
    return base;
}

}  // namespace stator::log
