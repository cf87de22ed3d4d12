// A FirmwareFlash lays the partitions for programs out as the node's firmware bank has them.
//
//   bank: | log, 2 sectors | header, image | header, image |
//   chip: | `firmware` 0,1 | its 2, ota_0  | its 3, ota_1  |   a header has a whole sector
//
// The chip's own loader wants an image at an app partition's begin, so its header lies elsewhere.
#pragma once

#include "sense/hal/flash.h"

#include <array>
#include <cstddef>
#include <span>

namespace stator::esp32 {

class FirmwareFlash final : public hal::Flash {
  public:
    // `small`: four sectors at least. The two slots are of one size.
    FirmwareFlash(hal::Flash& small, hal::Flash& slot_0, hal::Flash& slot_1);

    [[nodiscard]] std::size_t size_bytes() const override;

    [[nodiscard]] std::size_t sector_bytes() const override { return small_.sector_bytes(); }

    // Inside the log, a header, or an image: these three lie apart.
    [[nodiscard]] std::span<const std::byte> mapped(std::size_t offset, std::size_t size)
        const override;
    [[nodiscard]] base::Result<void> erase(std::size_t sector_offset) override;
    [[nodiscard]] base::Result<void> program(std::size_t offset, std::span<const std::byte> bytes)
        override;

  private:
    struct Place {
        hal::Flash* flash = nullptr;
        std::size_t offset = 0;
        std::size_t room = 0;  // bytes from there to the part's end
    };

    [[nodiscard]] Place place(std::size_t offset) const;

    hal::Flash& small_;
    std::array<hal::Flash*, 2> slots_;
};

}  // namespace stator::esp32
