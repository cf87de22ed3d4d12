// Firmware is what a port gives that can replace its own program: the flash for it, and a restart.
//
// The flash holds a log of two sectors and two slots (docs/formats/firmware.md). A boot stage that
// runs before the program chooses the slot. Where a chip's own loader wants an image at the begin
// of a sector, the image's header has a sector to itself.
#pragma once

#include "sense/hal/flash.h"
#include "shared/firmware/image.h"

#include <cstddef>
#include <string_view>

namespace stator::hal {

class Firmware {
  public:
    [[nodiscard]] virtual Flash& flash() = 0;
    [[nodiscard]] virtual std::string_view board() const = 0;  // whom an image must be for

    // From a slot's begin to its image.
    [[nodiscard]] virtual std::size_t image_offset() const { return firmware::header_bytes; }

    virtual void restart() = 0;  // through the boot stage; nothing is to be done after it

  protected:
    ~Firmware() = default;
};

}  // namespace stator::hal
