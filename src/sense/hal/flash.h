// Flash is what survives on a device: NOR-like memory, erased by the sector, programmed once.
//
// erase() makes every byte of a sector 0xFF; program() can only clear bits, so a place is
// programmed once between erases. A power cut may leave a sector half erased or a write half done:
// who reads must be able to tell (a CRC). What erase() and program() returned from is durable.
// Offsets and sizes of program() are multiples of flash_program_bytes.
#pragma once

#include "shared/base/result.h"

#include <cstddef>
#include <span>

namespace stator::hal {

inline constexpr std::size_t flash_program_bytes = 4;

class Flash {
  public:
    [[nodiscard]] virtual std::size_t size_bytes() const = 0;  // a whole number of sectors
    [[nodiscard]] virtual std::size_t sector_bytes() const = 0;
    // The content as memory (execute-in-place, or the port's copy): valid until it is erased.
    [[nodiscard]] virtual std::span<const std::byte> mapped(std::size_t offset, std::size_t size)
        const = 0;
    [[nodiscard]] virtual base::Result<void> erase(std::size_t sector_offset) = 0;
    [[nodiscard]] virtual base::Result<void> program(
        std::size_t offset, std::span<const std::byte> bytes
    ) = 0;

  protected:
    ~Flash() = default;
};

}  // namespace stator::hal
