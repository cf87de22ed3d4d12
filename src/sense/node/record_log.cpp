#include "sense/node/record_log.h"

#include "shared/base/crc32c.h"

#include <algorithm>

namespace stator::node {
namespace {

using base::Fault;
using base::Result;

using Bytes = std::array<std::byte, record_bytes>;

void put(std::span<std::byte> at, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i)
        at[i] = static_cast<std::byte>(value >> (8 * i));
}

std::uint32_t get(std::span<const std::byte> at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i)
        value |= std::to_integer<std::uint32_t>(at[i]) << (8 * i);
    return value;
}

}  // namespace

RecordLog::RecordLog(hal::Flash& flash, std::size_t offset, std::uint32_t magic)
    : flash_{flash}, offset_{offset}, magic_{magic} {}

std::span<const std::byte> RecordLog::record(std::size_t sector, std::size_t index) const {
    return flash_.mapped(
        offset_ + sector * flash_.sector_bytes() + index * record_bytes, record_bytes
    );
}

RecordLog::Place RecordLog::find_last() const {
    Place place;
    for (std::size_t sector = 0; sector < 2; ++sector) {
        for (std::size_t i = 0; i < count(); ++i) {
            const auto bytes = record(sector, i);
            if (get(bytes) != magic_) continue;
            if (get(bytes.subspan(28)) != base::crc32c(bytes.first(28))) continue;
            const std::uint32_t sequence = get(bytes.subspan(4));
            if (place.found && sequence <= place.sequence) continue;
            place = {.found = true, .sector = sector, .sequence = sequence, .words = {}};
            for (std::size_t word = 0; word < record_words; ++word)
                place.words[word] = get(bytes.subspan(8 + 4 * word));
        }
    }
    return place;
}

// Behind the last byte that is not blank: a torn record may not be written over.
std::size_t RecordLog::first_blank(std::size_t sector) const {
    std::size_t index = count();
    while (index > 0) {
        const auto bytes = record(sector, index - 1);
        if (std::ranges::any_of(bytes, [](std::byte b) { return b != std::byte{0xFF}; })) break;
        --index;
    }
    return index;
}

Result<RecordLog::Words> RecordLog::last() const {
    const Place place = find_last();
    if (!place.found) return std::unexpected{Fault::not_found};
    return place.words;
}

Result<void> RecordLog::append(const Words& words) {
    const Place place = find_last();
    Bytes bytes{};
    const std::span<std::byte> all{bytes};
    put(all, magic_);
    put(all.subspan(4), place.found ? place.sequence + 1 : 1);
    for (std::size_t word = 0; word < record_words; ++word)
        put(all.subspan(8 + 4 * word), words[word]);
    put(all.subspan(28), base::crc32c(all.first(28)));

    std::size_t sector = place.sector;
    std::size_t index = first_blank(sector);
    if (index == count()) {
        if (place.found) sector = 1 - sector;
        const auto erased = flash_.erase(offset_ + sector * flash_.sector_bytes());
        if (!erased) return erased;
        index = 0;
    }
    const std::size_t at = offset_ + sector * flash_.sector_bytes() + index * record_bytes;
    const auto written = flash_.program(at, bytes);
    if (!written) return written;
    if (!std::ranges::equal(record(sector, index), bytes)) return std::unexpected{Fault::io};
    return {};
}

}  // namespace stator::node
