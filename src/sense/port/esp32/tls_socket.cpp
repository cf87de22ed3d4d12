#include "sense/port/esp32/tls_socket.h"

#include <mbedtls/x509.h>

#include <sdkconfig.h>

#include <cstdio>

// What a build with other settings would let in without a word.
#if !defined(CONFIG_MBEDTLS_HAVE_TIME_DATE)
#error "sdkconfig: without CONFIG_MBEDTLS_HAVE_TIME_DATE an expired certificate is accepted"
#endif
#if defined(CONFIG_ESP_TLS_INSECURE)
#error "sdkconfig: with CONFIG_ESP_TLS_INSECURE a server need not show a certificate"
#endif

namespace stator::esp32 {

using base::Fault;
using base::Result;

namespace {

constexpr int connect_ms_max = 30'000;

}  // namespace

Result<void> TlsSocket::connect(const session::Server& server) {
    close();
    reason_ = {};
    // No certificate can be judged without a date.
    if (!clock_.synced()) return std::unexpected{Fault::again};
    connection_ = esp_tls_init();
    if (connection_ == nullptr) {
        fail("no memory for a connection");
        return std::unexpected{Fault::full};
    }
    server_ = server;
    const auto& at = server_.address;
    static_cast<void>(
        std::snprintf(address_.data(), address_.size(), "%u.%u.%u.%u", at[0], at[1], at[2], at[3])
    );
    config_ = {};
    config_.cacert_buf = identity_.ca_pem.data();
    config_.cacert_bytes = static_cast<unsigned>(identity_.ca_pem.size());
    config_.clientcert_buf = identity_.certificate_pem.data();
    config_.clientcert_bytes = static_cast<unsigned>(identity_.certificate_pem.size());
    config_.clientkey_buf = identity_.key_pem.data();
    config_.clientkey_bytes = static_cast<unsigned>(identity_.key_pem.size());
    config_.common_name = server_.host;  // not the address, by which it is reached
    config_.skip_common_name = false;
    config_.non_block = true;
    config_.timeout_ms = connect_ms_max;
    config_.tls_version = ESP_TLS_VER_TLS_1_2;
    state_ = State::connecting;
    return {};
}

TlsSocket::State TlsSocket::step() {
    if (state_ != State::connecting && state_ != State::shaking_hands) return state_;
    const auto length = static_cast<int>(std::string_view{address_.data()}.size());
    const int done =
        esp_tls_conn_new_async(address_.data(), length, server_.port, &config_, connection_);
    if (done < 0) {
        fail(why_not());
    } else if (done == 1) {
        state_ = State::open;
    } else {
        esp_tls_conn_state_t now = ESP_TLS_INIT;
        if (esp_tls_get_conn_state(connection_, &now) == ESP_OK && now == ESP_TLS_HANDSHAKE)
            state_ = State::shaking_hands;
    }
    return state_;
}

std::string_view TlsSocket::why_not() const {
    esp_tls_error_handle_t error = nullptr;
    int code = 0;
    int flags = 0;
    if (esp_tls_get_error_handle(connection_, &error) != ESP_OK ||
        esp_tls_get_and_clear_last_error(error, &code, &flags) == ESP_OK)
        return "the connection failed";
    const auto bad = static_cast<unsigned>(flags);
    if ((bad & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0)
        return "the server's certificate is not of our CA";
    if ((bad & MBEDTLS_X509_BADCERT_CN_MISMATCH) != 0)
        return "the server's certificate is for another host";
    if ((bad & MBEDTLS_X509_BADCERT_EXPIRED) != 0) return "the server's certificate has expired";
    if ((bad & MBEDTLS_X509_BADCERT_FUTURE) != 0)
        return "the server's certificate is not valid yet";
    return code == 0 ? "the server cannot be reached" : "the handshake failed";
}

Result<std::size_t> TlsSocket::write(std::span<const std::uint8_t> bytes) {
    if (state_ != State::open) return std::unexpected{Fault::io};
    const auto done = esp_tls_conn_write(connection_, bytes.data(), bytes.size());
    if (done >= 0) return static_cast<std::size_t>(done);
    if (done == ESP_TLS_ERR_SSL_WANT_READ || done == ESP_TLS_ERR_SSL_WANT_WRITE) return 0U;
    fail("the connection broke while writing");
    return std::unexpected{Fault::io};
}

Result<std::size_t> TlsSocket::read(std::span<std::uint8_t> bytes) {
    if (state_ != State::open) return std::unexpected{Fault::io};
    if (bytes.empty()) return 0U;
    const auto done = esp_tls_conn_read(connection_, bytes.data(), bytes.size());
    if (done > 0) return static_cast<std::size_t>(done);
    if (done == ESP_TLS_ERR_SSL_WANT_READ || done == ESP_TLS_ERR_SSL_WANT_WRITE) return 0U;
    fail("the other side closed the connection");
    return std::unexpected{Fault::io};
}

void TlsSocket::fail(std::string_view why) {
    close();
    reason_ = why;
}

void TlsSocket::close() {
    state_ = State::closed;
    if (connection_ != nullptr) static_cast<void>(esp_tls_conn_destroy(connection_));
    connection_ = nullptr;
}

}  // namespace stator::esp32
