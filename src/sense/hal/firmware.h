// Firmware is what a port gives that can replace its own program: the flash for it, and a restart.
//
// The flash holds a log of two sectors and two slots (docs/formats/firmware.md). A boot stage that
// runs before the program chooses the slot.
#pragma once

#include "sense/hal/flash.h"

#include <string_view>

namespace stator::hal {

class Firmware {
  public:
    [[nodiscard]] virtual Flash& flash() = 0;
    [[nodiscard]] virtual std::string_view board() const = 0;  // whom an image must be for
    virtual void restart() = 0;  // through the boot stage; nothing is to be done after it

  protected:
    ~Firmware() = default;
};

}  // namespace stator::hal
