// The TimeSource asks the site's time server over UDP, and sets the chip's clock to what it
// believes: mbedTLS judges certificates by that.
#pragma once

#include "sense/port/esp32/settings.h"
#include "sense/session/clock.h"
#include "sense/session/socket.h"

#include <cstdint>

namespace stator::esp32 {

class TimeSource {
  public:
    TimeSource(
        session::Clock& clock,
        hal::Entropy& entropy,
        Settings& settings,
        const session::Server& server
    )
        : clock_{clock}, settings_{settings}, server_{server}, question_{clock, entropy} {}

    [[nodiscard]] bool start();
    void step();  // with an address only

  private:
    void ask();
    void hear();

    session::Clock& clock_;
    Settings& settings_;
    session::Server server_;
    session::TimeQuestion question_;
    int socket_ = -1;
};

}  // namespace stator::esp32
