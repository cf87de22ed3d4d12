// A TlsSocket is one TLS 1.2 connection by esp_tls: both sides show certificates, and the other's
// must be of our CA, for its host's name, and valid today.
//
// esp_tls does the sums of a handshake in one go: they hold step() for as long as the chip needs.
#pragma once

#include "sense/session/clock.h"
#include "sense/session/socket.h"

#include <esp_tls.h>

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace stator::esp32 {

// What the device is to the site. PEM texts end with a zero byte, which counts.
struct Identity {
    std::span<const std::uint8_t> ca_pem;
    std::span<const std::uint8_t> certificate_pem;
    std::span<const std::uint8_t> key_pem;
};

class TlsSocket final : public session::Socket {
  public:
    TlsSocket(session::Clock& clock, const Identity& identity)
        : clock_{clock}, identity_{identity} {}

    ~TlsSocket() { close(); }

    TlsSocket(const TlsSocket&) = delete;
    TlsSocket& operator=(const TlsSocket&) = delete;

    [[nodiscard]] base::Result<void> connect(const session::Server& server) override;
    State step() override;
    [[nodiscard]] base::Result<std::size_t> write(std::span<const std::uint8_t> bytes) override;
    [[nodiscard]] base::Result<std::size_t> read(std::span<std::uint8_t> bytes) override;
    void close() override;

    [[nodiscard]] std::string_view reason() const override { return reason_; }

  private:
    [[nodiscard]] std::string_view why_not() const;
    void fail(std::string_view why);

    session::Clock& clock_;
    Identity identity_;
    esp_tls_t* connection_ = nullptr;
    esp_tls_cfg_t config_{};
    session::Server server_;
    std::array<char, 16> address_{};
    State state_ = State::closed;
    std::string_view reason_;
};

}  // namespace stator::esp32
