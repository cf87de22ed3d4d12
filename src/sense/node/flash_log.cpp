#include "sense/node/flash_log.h"

#include "sense/node/little_endian.h"
#include "shared/base/crc32c.h"

#include <algorithm>
#include <array>
#include <cassert>

namespace stator::node {
namespace {

using base::Fault;
using base::Result;

constexpr std::uint32_t not_done = 0xFFFF'FFFFU;
constexpr std::uint32_t sequence_max = 0xF000'0000U;  // no flash lives to see it
constexpr std::size_t unit = hal::flash_program_bytes;

constexpr std::size_t record_size(std::size_t body_bytes) {
    return FlashLog::record_header_bytes + (body_bytes + unit - 1) / unit * unit;
}

constexpr std::size_t record_bytes_max = record_size(FlashLog::body_bytes_max);

std::uint32_t checksum(std::span<const std::byte> record, std::size_t body_bytes) {
    const std::uint32_t head = base::crc32c(record.first(16));
    return base::crc32c(record.subspan(FlashLog::record_header_bytes, body_bytes), head);
}

}  // namespace

FlashLog::FlashLog(
    hal::Flash& flash, std::size_t offset, std::uint32_t sectors, std::uint32_t magic
)
    : flash_{flash}, offset_{offset}, sectors_{sectors}, magic_{magic} {
    assert(sectors_ >= 2);
    assert(flash_.sector_bytes() >= sector_header_bytes + record_header_bytes);
    assert(offset_ + sectors_ * flash_.sector_bytes() <= flash_.size_bytes());
    find_end();
    if (write_at_ < flash_.sector_bytes())
        start_ = {.sequence = end_ - 1, .offset = static_cast<std::uint32_t>(write_at_)};
    else
        start_.sequence = end_;
}

std::size_t FlashLog::begin_of(std::uint32_t sequence) const {
    return offset_ + sequence % sectors_ * flash_.sector_bytes();
}

bool FlashLog::is_there(std::uint32_t sequence) const {
    const auto header = flash_.mapped(begin_of(sequence), sector_header_bytes);
    return get_u32(header) == magic_ && get_u32(header.subspan(4)) == sequence &&
           get_u32(header.subspan(8)) == base::crc32c(header.first(8));
}

bool FlashLog::is_done(std::uint32_t sequence) const {
    const auto header = flash_.mapped(begin_of(sequence), sector_header_bytes);
    return get_u32(header.subspan(12)) != not_done;
}

// The newest sector has the highest sequence; the oldest in use is the lowest that is not done.
void FlashLog::find_end() {
    for (std::uint32_t i = 0; i < sectors_; ++i) {
        const auto header = flash_.mapped(begin_of(i), sector_header_bytes);
        const std::uint32_t sequence = get_u32(header.subspan(4));
        if (sequence % sectors_ != i || sequence > sequence_max || !is_there(sequence)) continue;
        end_ = std::max(end_, sequence + 1);
    }
    tail_ = end_;
    write_at_ = flash_.sector_bytes();
    for (std::uint32_t back = 1; back <= std::min(sectors_, end_); ++back)
        if (is_there(end_ - back) && !is_done(end_ - back)) tail_ = end_ - back;
    if (tail_ == end_ || is_done(end_ - 1)) return;

    std::size_t at = sector_header_bytes;
    for (;;) {
        const auto record = record_at(end_ - 1, at);
        if (record.empty()) break;
        if (record[2] == std::byte{context_kind}) context_at_ = at;
        at += record.size();
    }
    const auto rest = flash_.mapped(begin_of(end_ - 1) + at, flash_.sector_bytes() - at);
    const auto blank = [](std::byte byte) { return byte == std::byte{0xFF}; };
    if (std::ranges::all_of(rest, blank)) write_at_ = at;
}

std::span<const std::byte> FlashLog::record_at(std::uint32_t sequence, std::size_t offset) const {
    const std::size_t left = flash_.sector_bytes() - offset;
    if (left < record_header_bytes) return {};
    const std::size_t at = begin_of(sequence) + offset;
    const std::size_t body_bytes = get_u16(flash_.mapped(at, 2));
    const std::size_t size = record_size(body_bytes);
    if (body_bytes > body_bytes_max || size > left) return {};
    const auto record = flash_.mapped(at, size);
    if (record[3] != std::byte{0}) return {};
    if (get_u32(record.subspan(16)) != checksum(record, body_bytes)) return {};
    return record;
}

// Nothing was written from there on; so ends every sector that a whole record no longer fitted in.
bool FlashLog::is_blank(const LogPlace& place) const {
    if (!is_there(place.sequence)) return false;
    const std::size_t left = flash_.sector_bytes() - place.offset;
    const auto rest = flash_.mapped(begin_of(place.sequence) + place.offset, left);
    return std::ranges::all_of(rest, [](std::byte byte) { return byte == std::byte{0xFF}; });
}

bool FlashLog::look(LogPlace& place, LogRecord& record) const {
    record.damaged = record.damaged_since = false;
    for (;;) {
        if (place.sequence < tail_) place = oldest();
        if (place.sequence >= end_) return false;
        if (place.offset == 0) place.offset = sector_header_bytes;
        const bool newest = place.sequence + 1 == end_;
        if (newest && place.offset >= write_at_) return false;
        const auto whole = is_there(place.sequence) && !is_done(place.sequence)
                               ? record_at(place.sequence, place.offset)
                               : std::span<const std::byte>{};
        if (whole.empty()) {
            if (!is_blank(place)) {
                record.damaged = true;
                record.damaged_since = record.damaged_since || !before(place, start_);
            }
            place = {.sequence = place.sequence + 1, .offset = 0, .context = 0};
            continue;
        }
        const auto behind = place.offset + static_cast<std::uint32_t>(whole.size());
        if (whole[2] == std::byte{context_kind}) {
            place.context = place.offset;
            place.offset = behind;
            continue;
        }
        record.kind = std::to_integer<std::uint8_t>(whole[2]);
        record.key = {.boot = get_u32(whole.subspan(4)), .seq = get_u64(whole.subspan(8))};
        record.body = whole.subspan(record_header_bytes, get_u16(whole));
        record.context = {};
        if (place.context != 0) {
            const auto context = record_at(place.sequence, place.context);
            if (!context.empty())
                record.context = context.subspan(record_header_bytes, get_u16(context));
        }
        record.next = place;
        record.next.offset = behind;
        return true;
    }
}

bool FlashLog::has_context(std::span<const std::byte> context) const {
    if (context.empty()) return true;
    if (context_at_ == 0) return false;
    const auto last = record_at(end_ - 1, context_at_);
    return !last.empty() &&
           std::ranges::equal(last.subspan(record_header_bytes, get_u16(last)), context);
}

Result<void> FlashLog::append(
    std::uint8_t kind,
    const Key& key,
    std::span<const std::byte> body,
    std::span<const std::byte> context
) {
    assert(kind != context_kind);
    const std::size_t size = record_size(body.size());
    const std::size_t context_size = context.empty() ? 0 : record_size(context.size());
    if (body.size() > body_bytes_max || context.size() > body_bytes_max ||
        sector_header_bytes + size + context_size > flash_.sector_bytes())
        return std::unexpected{Fault::bad_input};
    const bool known = tail_ != end_ && has_context(context);
    const std::size_t needed = size + (known ? 0 : context_size);
    bool say_context = !known && !context.empty();
    if (tail_ == end_ || write_at_ + needed > flash_.sector_bytes()) {
        if (const auto begun = begin_sector(); !begun) return begun;
        say_context = !context.empty();
    }
    if (say_context) {
        const std::size_t at = write_at_;
        if (const auto written = write(context_kind, key, context); !written) return written;
        context_at_ = at;
    }
    return write(kind, key, body);
}

Result<void> FlashLog::begin_sector() {
    if (end_ - tail_ >= sectors_) return std::unexpected{Fault::full};
    const std::uint32_t sequence = end_++;
    write_at_ = flash_.sector_bytes();  // until it is known to be good
    context_at_ = 0;
    if (const auto erased = flash_.erase(begin_of(sequence)); !erased) return erased;
    std::array<std::byte, sector_header_bytes> header{};
    const std::span<std::byte> all{header};
    put_u32(all, magic_);
    put_u32(all.subspan(4), sequence);
    put_u32(all.subspan(8), base::crc32c(all.first(8)));
    put_u32(all.subspan(12), not_done);
    if (const auto written = flash_.program(begin_of(sequence), header); !written) return written;
    if (!is_there(sequence)) return std::unexpected{Fault::io};
    write_at_ = sector_header_bytes;
    return {};
}

Result<void> FlashLog::write(std::uint8_t kind, const Key& key, std::span<const std::byte> body) {
    std::array<std::byte, record_bytes_max> buffer;  // NOLINT: only what is written is read
    const auto record = std::span<std::byte>{buffer}.first(record_size(body.size()));
    put_u16(record, static_cast<std::uint16_t>(body.size()));
    record[2] = std::byte{kind};
    record[3] = std::byte{0};
    put_u32(record.subspan(4), key.boot);
    put_u64(record.subspan(8), key.seq);
    std::ranges::fill(record.subspan(record_header_bytes), std::byte{0xFF});
    std::ranges::copy(body, record.begin() + record_header_bytes);
    put_u32(record.subspan(16), checksum(record, body.size()));

    const std::size_t at = begin_of(end_ - 1) + write_at_;
    const auto written = flash_.program(at, record);
    if (written && std::ranges::equal(flash_.mapped(at, record.size()), record)) {
        write_at_ += record.size();
        return {};
    }
    write_at_ = flash_.sector_bytes();
    context_at_ = 0;
    return std::unexpected{Fault::io};
}

bool FlashLog::free_before(const LogPlace& place) {
    if (tail_ >= std::min(place.sequence, end_)) return false;
    drop_oldest();
    return true;
}

void FlashLog::drop_oldest() {
    assert(tail_ < end_);
    std::array<std::byte, unit> done{};
    // Not freed in flash when this fails: after a restart it is said again, which does no harm.
    if (is_there(tail_)) static_cast<void>(flash_.program(begin_of(tail_) + 12, done));
    ++tail_;
}

}  // namespace stator::node
