// PosixSockets is the sockets door of a real process.
#pragma once

#include "world/sockets/sockets.h"

namespace stator::sockets {

class PosixSockets final : public Sockets {
  public:
    [[nodiscard]] Outcome<std::unique_ptr<Listener>> listen(
        const std::string& address, std::uint16_t port
    ) override;
    [[nodiscard]] Outcome<std::unique_ptr<Connection>> connect(
        const std::string& host, std::uint16_t port
    ) override;
};

}  // namespace stator::sockets
