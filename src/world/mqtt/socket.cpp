#include "world/mqtt/socket.h"

#include "world/tls/openssl_types.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace stator::mqtt {

namespace {

struct FreeAddresses {
    void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

bool is_address(const std::string& host) {
    std::array<unsigned char, 16> bytes{};
    return inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
           inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

bool passes(int error) {
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR || error == EINPROGRESS;
}

// Whoever answers must be who was meant.
bool expect_name(SSL* tls, const std::string& host) {
    X509_VERIFY_PARAM* const param = SSL_get0_param(tls);
    if (is_address(host)) return X509_VERIFY_PARAM_set1_ip_asc(param, host.c_str()) == 1;
    // The macro SSL_set_tlsext_host_name, which has a cast of C's in it.
    void* const name = const_cast<char*>(host.c_str());
    return SSL_ctrl(tls, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name) == 1 &&
           SSL_set1_host(tls, host.c_str()) == 1;
}

}  // namespace

Outcome<TlsContext> make_tls_context(
    const std::string& ca_file, const std::string& certificate_file, const std::string& key_file
) {
    TlsContext context{SSL_CTX_new(TLS_client_method())};
    if (!context) return tls::openssl_fail(base::Fault::io, "tls");
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_mode(
        context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
    );
    if (SSL_CTX_load_verify_locations(context.get(), ca_file.c_str(), nullptr) != 1)
        return tls::openssl_fail(base::Fault::bad_input, ca_file + " is no file of certificates");
    if (certificate_file.empty()) return context;
    if (SSL_CTX_use_certificate_chain_file(context.get(), certificate_file.c_str()) != 1)
        return tls::openssl_fail(base::Fault::bad_input, certificate_file + " is no certificate");
    if (SSL_CTX_use_PrivateKey_file(context.get(), key_file.c_str(), SSL_FILETYPE_PEM) != 1)
        return tls::openssl_fail(
            base::Fault::bad_input, key_file + " is not the key of " + certificate_file
        );
    return context;
}

Outcome<std::unique_ptr<Socket>> Socket::connect(
    const std::string& host, std::uint16_t port, SSL_CTX* context
) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    if (const int code = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
        code != 0)
        return fail(base::Fault::again, fmt::format("{}: {}", host, gai_strerror(code)));
    const std::unique_ptr<addrinfo, FreeAddresses> addresses{list};
    std::unique_ptr<Socket> made{new Socket{}};
    made->peer_ = fmt::format("{}:{}", host, port);
    int error = 0;
    for (const addrinfo* at = list; at != nullptr && made->fd_ < 0; at = at->ai_next) {
        const int fd = ::socket(
            at->ai_family, at->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, at->ai_protocol
        );
        if (fd >= 0 && (::connect(fd, at->ai_addr, at->ai_addrlen) == 0 || passes(errno))) {
            made->fd_ = fd;
            break;
        }
        error = errno;
        if (fd >= 0) ::close(fd);
    }
    if (made->fd_ < 0)
        return fail(base::Fault::again, fmt::format("{}: {}", made->peer_, std::strerror(error)));
    const int on = 1;
    (void)setsockopt(made->fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (context == nullptr) return made;
    made->tls_.reset(SSL_new(context));
    if (!made->tls_ || SSL_set_fd(made->tls_.get(), made->fd_) != 1 ||
        !expect_name(made->tls_.get(), host))
        return tls::openssl_fail(base::Fault::io, made->peer_);
    SSL_set_connect_state(made->tls_.get());
    return made;
}

Socket::~Socket() {
    if (tls_ && tls_stands_) (void)SSL_shutdown(tls_.get());
    tls_.reset();
    if (fd_ >= 0) ::close(fd_);
}

std::unexpected<Error> Socket::tls_error(int code, const std::string& what) {
    const int kind = SSL_get_error(tls_.get(), code);
    if (const long verified = SSL_get_verify_result(tls_.get()); verified != X509_V_OK)
        return fail(
            base::Fault::denied,
            fmt::format("{}: its certificate: {}", peer_, X509_verify_cert_error_string(verified))
        );
    if (kind == SSL_ERROR_ZERO_RETURN) return fail(base::Fault::closed, peer_ + " closed");
    if (kind == SSL_ERROR_SYSCALL && errno != 0)
        return fail(base::Fault::closed, fmt::format("{}: {}", peer_, std::strerror(errno)));
    return tls::openssl_fail(base::Fault::closed, fmt::format("{}: {}", peer_, what));
}

Outcome<bool> Socket::establish() {
    if (!tcp_stands_) {
        pollfd at{.fd = fd_, .events = POLLOUT, .revents = 0};
        if (::poll(&at, 1, 0) <= 0) return false;
        int error = 0;
        socklen_t size = sizeof error;
        if (getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
        if (error != 0)
            return fail(base::Fault::again, fmt::format("{}: {}", peer_, std::strerror(error)));
        tcp_stands_ = true;
        wants_write_ = false;
    }
    if (!tls_ || tls_stands_) return true;
    ERR_clear_error();
    const int code = SSL_do_handshake(tls_.get());
    if (code == 1) {
        tls_stands_ = true;
        wants_write_ = false;
        return true;
    }
    const int kind = SSL_get_error(tls_.get(), code);
    wants_write_ = kind == SSL_ERROR_WANT_WRITE;
    if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) return false;
    return tls_error(code, "TLS");
}

Outcome<bool> Socket::read(std::string& into, std::size_t bytes_max) {
    std::array<char, 16384> bytes{};
    bool any = false;
    while (into.size() < bytes_max) {
        if (tls_) {
            ERR_clear_error();
            const int code = SSL_read(tls_.get(), bytes.data(), static_cast<int>(bytes.size()));
            if (code > 0) {
                into.append(bytes.data(), static_cast<std::size_t>(code));
                any = true;
                continue;
            }
            const int kind = SSL_get_error(tls_.get(), code);
            wants_write_ = kind == SSL_ERROR_WANT_WRITE;
            if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) break;
            if (any) break;  // what came first is taken first
            return tls_error(code, "read");
        }
        const ssize_t count = ::recv(fd_, bytes.data(), bytes.size(), 0);
        if (count > 0) {
            into.append(bytes.data(), static_cast<std::size_t>(count));
            any = true;
            continue;
        }
        if ((count < 0 && passes(errno)) || any) break;
        if (count == 0) return fail(base::Fault::closed, peer_ + " closed the connection");
        return fail(base::Fault::closed, fmt::format("{}: {}", peer_, std::strerror(errno)));
    }
    return any;
}

Outcome<std::size_t> Socket::write(std::string_view bytes) {
    if (bytes.empty()) return std::size_t{0};
    if (tls_) {
        ERR_clear_error();
        const int size = static_cast<int>(std::min<std::size_t>(bytes.size(), 1U << 20U));
        const int code = SSL_write(tls_.get(), bytes.data(), size);
        if (code > 0) return static_cast<std::size_t>(code);
        const int kind = SSL_get_error(tls_.get(), code);
        if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) return std::size_t{0};
        return tls_error(code, "write");
    }
    const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count >= 0) return static_cast<std::size_t>(count);
    if (passes(errno)) return std::size_t{0};
    return fail(base::Fault::closed, fmt::format("{}: {}", peer_, std::strerror(errno)));
}

void Socket::wait(bool to_write, std::int64_t timeout_us) const {
    if (tls_ && SSL_pending(tls_.get()) > 0) return;
    const bool writes = to_write || wants_write_;
    pollfd at{
        .fd = fd_, .events = static_cast<short>(POLLIN | (writes ? POLLOUT : 0)), .revents = 0
    };
    (void)::poll(&at, 1, static_cast<int>((timeout_us + 999) / 1000));
}

}  // namespace stator::mqtt
