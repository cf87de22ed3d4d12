// A TlsSocket is one TLS 1.2 connection over lwIP: both sides show certificates, and the other's
// must be of our CA, for its host's name, and valid today. All of mbedTLS lives in a static pool.
#pragma once

#include "sense/port/cortex_m/network.h"
#include "sense/session/socket.h"
#include "shared/base/result.h"

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

struct tcp_pcb;

namespace stator::cortex_m {

// What the device is to the site. PEM texts end with a zero byte, which counts.
struct Identity {
    std::span<const std::uint8_t> ca_pem;
    std::span<const std::uint8_t> certificate_pem;
    std::span<const std::uint8_t> key_pem;
};

class Tls {  // what all connections share
  public:
    explicit Tls(Clock& clock);
    Tls(const Tls&) = delete;
    Tls& operator=(const Tls&) = delete;

    // Why it could not; empty when all is well.
    [[nodiscard]] std::string_view start(const Identity& identity);

    [[nodiscard]] const mbedtls_ssl_config& config() const { return config_; }

    [[nodiscard]] Clock& clock() const { return clock_; }

    [[nodiscard]] static std::size_t pool_bytes_most();
    [[nodiscard]] static std::size_t pool_blocks_now();

  private:
    Clock& clock_;
    mbedtls_entropy_context entropy_;
    mbedtls_ctr_drbg_context random_;
    mbedtls_x509_crt ca_;
    mbedtls_x509_crt certificate_;
    mbedtls_pk_context key_;
    mbedtls_ssl_config config_;
};

class TlsSocket final : public session::Socket {
  public:
    explicit TlsSocket(Tls& tls) : tls_{tls} {}

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
    static err_t connected(void* self, tcp_pcb* pcb, err_t error);
    static err_t received(void* self, tcp_pcb* pcb, pbuf* bytes, err_t error);
    static void broken(void* self, err_t error);
    static int send_bytes(void* self, const unsigned char* bytes, std::size_t count);
    static int take_bytes(void* self, unsigned char* bytes, std::size_t count);
    void fail(std::string_view why);

    Tls& tls_;
    mbedtls_ssl_context session_{};
    bool session_made_ = false;
    tcp_pcb* pcb_ = nullptr;
    pbuf* waiting_ = nullptr;
    bool ended_ = false;  // by the other side
    State state_ = State::closed;
    std::string_view reason_;
};

}  // namespace stator::cortex_m
