// SimulatedSockets is a network in memory: whoever connects to a port that is listened on talks to
// whom accept() gave the other end.
//
// One write holds at most `pipe_bytes_max` bytes that nobody has read yet.
#pragma once

#include "world/sockets/sockets.h"

#include <deque>
#include <map>
#include <memory>

namespace stator::sockets {

class SimulatedSockets final : public Sockets {
  public:
    static constexpr std::size_t pipe_bytes_max = 16U << 10U;

    struct Pipe {
        std::string bytes;
        bool closed = false;  // by who writes
        bool gone = false;    // who reads went away
    };

    struct Port {
        std::deque<std::unique_ptr<Connection>> waiting;
    };

    [[nodiscard]] Outcome<std::unique_ptr<Listener>> listen(
        const std::string& address, std::uint16_t port
    ) override;
    [[nodiscard]] Outcome<std::unique_ptr<Connection>> connect(
        const std::string& host, std::uint16_t port
    ) override;

  private:
    std::map<std::uint16_t, std::weak_ptr<Port>> ports_;
};

}  // namespace stator::sockets
