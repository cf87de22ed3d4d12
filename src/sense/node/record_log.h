// A RecordLog keeps the last of a series of small records in two flash sectors, whatever happens.
//
//   record, 32 bytes, little endian:
//   | magic u32 | sequence u32 | word u32 x 5 | crc32c u32 over the 28 bytes before |
//
// append() writes behind the last record; when the sector is full it erases the other one and goes
// on there, so the last record is only erased after a later one is whole. A record that a power cut
// tore fails its CRC and is passed over. Format: docs/formats/node-flash.md.
#pragma once

#include "sense/hal/flash.h"
#include "shared/base/result.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace stator::node {

inline constexpr std::size_t record_bytes = 32;
inline constexpr std::size_t record_words = 5;

class RecordLog {
  public:
    using Words = std::array<std::uint32_t, record_words>;

    // The two sectors from `offset` on.
    RecordLog(hal::Flash& flash, std::size_t offset, std::uint32_t magic);

    // Fault::not_found while there is none.
    [[nodiscard]] base::Result<Words> last() const;
    // When it returns without a fault the record is there after a power cut.
    [[nodiscard]] base::Result<void> append(const Words& words);

  private:
    struct Place {
        bool found = false;
        std::size_t sector = 0;
        std::uint32_t sequence = 0;
        Words words{};
    };

    [[nodiscard]] Place find_last() const;
    [[nodiscard]] std::size_t first_blank(std::size_t sector) const;  // count when it is full
    [[nodiscard]] std::span<const std::byte> record(std::size_t sector, std::size_t index) const;

    [[nodiscard]] std::size_t count() const { return flash_.sector_bytes() / record_bytes; }

    hal::Flash& flash_;
    std::size_t offset_;
    std::uint32_t magic_;
};

}  // namespace stator::node
