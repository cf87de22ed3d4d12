// settle() makes the chip's loader and the node's firmware log agree, first of all at each start.
//
// The loader (esp_ota, with rollback) tries a new image once and goes back by itself; the log says
// what the node meant. A power cut may fall between the two in either order:
//
//   log                 runs                 then
//   pending             the candidate        its trial has begun: written
//   pending             the old one          the loader is asked for it (again); not when it went
//   back running             the candidate        a second start in the trial: it is over, the old
//   one running             the old one          it is over: not confirmed none, or told of    the
//   confirmed one    the loader is told that it is good none, or told of    the other the loader is
//   asked for the confirmed one; if that is
//                                            not whole, the other is what runs, and the log says so
#pragma once

#include "sense/node/firmware_bank.h"

#include <cstdint>

namespace stator::esp32 {

class Loader {
  public:
    [[nodiscard]] virtual std::uint32_t running_slot() = 0;
    // Did it run there once, and was gone back from?
    [[nodiscard]] virtual bool gave_up(std::uint32_t slot) = 0;
    // From the next start on; false when the image there is not whole.
    [[nodiscard]] virtual bool choose(std::uint32_t slot) = 0;
    virtual void keep() = 0;  // what runs is good: no going back

  protected:
    ~Loader() = default;
};

enum class Settled : std::uint8_t { go_on, restart };

[[nodiscard]] Settled settle(node::FirmwareBank& bank, Loader& loader);

}  // namespace stator::esp32
