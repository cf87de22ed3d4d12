// A Socket is one mutually authenticated TLS connection, polled: a port gives it, a session uses
// it.
//
// open only when the other side has shown a certificate of our CA, for Server::host, valid today;
// anything else ends in closed with a reason(). step() does a bounded piece of work and never
// waits, nor do read() and write(): 0 bytes is not yet. After a Fault of theirs it is closed.
#pragma once

#include "shared/base/result.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace stator::session {

struct Server {
    std::array<std::uint8_t, 4> address{};  // IPv4: the device asks no name server
    std::uint16_t port = 0;
    const char* host = "";  // the name in its certificate; ends with a zero byte
};

class Socket {
  public:
    enum class State : std::uint8_t { closed, connecting, shaking_hands, open };

    // Fault::again while the date is not known: no certificate can be judged without one.
    [[nodiscard]] virtual base::Result<void> connect(const Server& server) = 0;
    virtual State step() = 0;
    // How many bytes went. After 0 the same bytes must be given again.
    [[nodiscard]] virtual base::Result<std::size_t> write(std::span<const std::uint8_t> bytes) = 0;
    [[nodiscard]] virtual base::Result<std::size_t> read(std::span<std::uint8_t> bytes) = 0;
    virtual void close() = 0;  // says so to the other side, too

    [[nodiscard]] virtual std::string_view reason() const = 0;  // why it was closed

  protected:
    ~Socket() = default;
};

}  // namespace stator::session
