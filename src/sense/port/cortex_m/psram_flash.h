// PsramFlash is NOR flash in the board's PSRAM: erased by 4 KiB, programmed by clearing bits.
//
// QEMU keeps the PSRAM in a file when it is told to, so what was written outlives a power cut.
#pragma once

#include "sense/hal/flash.h"
#include "sense/port/cortex_m/memory.h"

namespace stator::cortex_m {

class PsramFlash final : public hal::Flash {
  public:
    PsramFlash(std::uintptr_t begin, std::size_t size) : begin_{begin}, size_{size} {}

    [[nodiscard]] std::size_t size_bytes() const override { return size_; }

    [[nodiscard]] std::size_t sector_bytes() const override { return cortex_m::sector_bytes; }

    [[nodiscard]] std::span<const std::byte> mapped(std::size_t offset, std::size_t size)
        const override;
    [[nodiscard]] base::Result<void> erase(std::size_t sector_offset) override;
    [[nodiscard]] base::Result<void> program(std::size_t offset, std::span<const std::byte> bytes)
        override;

  private:
    std::uintptr_t begin_;
    std::size_t size_;
};

}  // namespace stator::cortex_m
