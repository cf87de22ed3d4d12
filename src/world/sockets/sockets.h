// The sockets door: plain TCP byte streams, polled, for peers that speak neither HTTP nor MQTT.
//
// Nothing blocks but wait(). A connection whose peer is gone says Fault::closed; destroying it
// closes it.
#pragma once

#include "world/outcome/outcome.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace stator::sockets {

class Connection {
  public:
    virtual ~Connection() = default;
    // Appends what has come, at most `bytes_max`; true when there was something. Fault::closed: the
    // peer sends nothing more.
    [[nodiscard]] virtual Outcome<bool> read(std::string& into, std::size_t bytes_max) = 0;
    // How many bytes of `bytes` are on their way; 0 while it is full or not yet connected.
    [[nodiscard]] virtual Outcome<std::size_t> write(std::string_view bytes) = 0;
};

class Listener {
  public:
    virtual ~Listener() = default;
    [[nodiscard]] virtual std::uint16_t port() const = 0;
    // The next peer that connected, or none.
    [[nodiscard]] virtual Outcome<std::unique_ptr<Connection>> accept() = 0;
    // Returns when a peer came, or one of `also` (this door's own) has something, or in time.
    virtual void wait(const std::vector<Connection*>& also, std::int64_t timeout_us) = 0;
};

class Sockets {
  public:
    virtual ~Sockets() = default;
    // `port` 0: a free one.
    [[nodiscard]] virtual Outcome<std::unique_ptr<Listener>> listen(
        const std::string& address, std::uint16_t port
    ) = 0;
    // Returns with the connection under way; the first read() or write() may say that it failed.
    [[nodiscard]] virtual Outcome<std::unique_ptr<Connection>> connect(
        const std::string& host, std::uint16_t port
    ) = 0;
};

}  // namespace stator::sockets
