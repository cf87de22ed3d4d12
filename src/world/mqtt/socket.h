// A Socket is one TCP connection, with or without TLS, that never blocks; only for world/mqtt.
#pragma once

#include "world/outcome/outcome.h"

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace stator::mqtt {

struct FreeContext {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

struct FreeSession {
    void operator()(SSL* session) const { SSL_free(session); }
};

using TlsContext = std::unique_ptr<SSL_CTX, FreeContext>;

// A client's: certificate and key may be empty. Error: which file is wrong.
[[nodiscard]] Outcome<TlsContext> make_tls_context(
    const std::string& ca_file, const std::string& certificate_file, const std::string& key_file
);

class Socket {
  public:
    // `context` null: no TLS. Returns with the connection under way.
    [[nodiscard]] static Outcome<std::unique_ptr<Socket>> connect(
        const std::string& host, std::uint16_t port, SSL_CTX* context
    );
    ~Socket();
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    Socket(Socket&&) = delete;
    Socket& operator=(Socket&&) = delete;

    // True once TCP and TLS stand. Call until then.
    [[nodiscard]] Outcome<bool> establish();
    // Appends what has come, at most `bytes_max`; Fault::closed when the peer has closed.
    [[nodiscard]] Outcome<bool> read(std::string& into, std::size_t bytes_max);
    // How many bytes of `bytes` are on their way; 0 when the socket is full.
    [[nodiscard]] Outcome<std::size_t> write(std::string_view bytes);
    void wait(bool to_write, std::int64_t timeout_us) const;

  private:
    Socket() = default;
    [[nodiscard]] std::unexpected<Error> tls_error(int code, const std::string& what);

    int fd_ = -1;
    bool tcp_stands_ = false;
    bool tls_stands_ = false;
    bool wants_write_ = true;  // what TLS or TCP waits for
    std::unique_ptr<SSL, FreeSession> tls_;
    std::string peer_;
};

}  // namespace stator::mqtt
