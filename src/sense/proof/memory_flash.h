// MemoryFlash is NOR flash in the caller's memory: what is in it lasts as long as that does.
#pragma once

#include "sense/hal/flash.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <span>

namespace stator::proof {

class MemoryFlash final : public hal::Flash {
  public:
    // A whole number of sectors; blank afterwards.
    explicit MemoryFlash(std::span<std::byte> bytes) : bytes_{bytes} {
        assert(bytes.size() % sector_bytes() == 0);
        std::ranges::fill(bytes_, std::byte{0xFF});
    }

    [[nodiscard]] std::size_t size_bytes() const override { return bytes_.size(); }

    [[nodiscard]] std::size_t sector_bytes() const override { return 4096; }

    [[nodiscard]] std::span<const std::byte> mapped(std::size_t offset, std::size_t size)
        const override {
        return bytes_.subspan(offset, size);
    }

    [[nodiscard]] base::Result<void> erase(std::size_t offset) override {
        if (offset % sector_bytes() != 0 || offset >= size_bytes())
            return std::unexpected{base::Fault::bad_input};
        std::ranges::fill(bytes_.subspan(offset, sector_bytes()), std::byte{0xFF});
        return {};
    }

    [[nodiscard]] base::Result<void> program(std::size_t offset, std::span<const std::byte> data)
        override {
        if (offset % hal::flash_program_bytes != 0 || data.size() % hal::flash_program_bytes != 0 ||
            offset > size_bytes() || data.size() > size_bytes() - offset)
            return std::unexpected{base::Fault::bad_input};
        for (std::size_t i = 0; i < data.size(); ++i)
            bytes_[offset + i] &= data[i];
        return {};
    }

  private:
    std::span<std::byte> bytes_;
};

}  // namespace stator::proof
