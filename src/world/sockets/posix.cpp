#include "world/sockets/posix.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <netdb.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace stator::sockets {

namespace {

constexpr int waiting_max = 64;  // peers that have connected and are not yet accepted

struct FreeAddresses {
    void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

bool passes(int error) {
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR || error == EINPROGRESS ||
           error == ENOTCONN;
}

class PosixConnection final : public Connection {
  public:
    PosixConnection(int fd, std::string peer) : fd_{fd}, peer_{std::move(peer)} {
        const int on = 1;
        (void)setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }

    ~PosixConnection() override { ::close(fd_); }

    PosixConnection(const PosixConnection&) = delete;
    PosixConnection& operator=(const PosixConnection&) = delete;

    Outcome<bool> read(std::string& into, std::size_t bytes_max) override {
        std::array<char, 4096> buffer{};
        const std::size_t wanted = std::min(bytes_max, buffer.size());
        if (wanted == 0) return false;
        const ssize_t got = ::recv(fd_, buffer.data(), wanted, 0);
        if (got == 0) return fail(base::Fault::closed, peer_ + " closed");
        if (got < 0) return pass<bool>(false);
        into.append(buffer.data(), static_cast<std::size_t>(got));
        return true;
    }

    Outcome<std::size_t> write(std::string_view bytes) override {
        if (bytes.empty()) return std::size_t{0};
        const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0) return pass<std::size_t>(0);
        return static_cast<std::size_t>(sent);
    }

    [[nodiscard]] int fd() const { return fd_; }

  private:
    template <typename T>
    Outcome<T> pass(T nothing) {
        if (passes(errno)) return nothing;
        return fail(base::Fault::closed, fmt::format("{}: {}", peer_, std::strerror(errno)));
    }

    int fd_;
    std::string peer_;
};

class PosixListener final : public Listener {
  public:
    PosixListener(int fd, std::uint16_t port) : fd_{fd}, port_{port} {}

    ~PosixListener() override { ::close(fd_); }

    PosixListener(const PosixListener&) = delete;
    PosixListener& operator=(const PosixListener&) = delete;

    [[nodiscard]] std::uint16_t port() const override { return port_; }

    Outcome<std::unique_ptr<Connection>> accept() override {
        const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) return std::make_unique<PosixConnection>(fd, "the client");
        // What went away before it was accepted is nobody's fault.
        if (passes(errno) || errno == ECONNABORTED) return std::unique_ptr<Connection>{};
        return fail(base::Fault::io, fmt::format("port {}: {}", port_, std::strerror(errno)));
    }

    void wait(const std::vector<Connection*>& also, std::int64_t timeout_us) override {
        std::vector<pollfd> all{{.fd = fd_, .events = POLLIN, .revents = 0}};
        for (const Connection* one : also)
            all.push_back(
                {.fd = static_cast<const PosixConnection*>(one)->fd(),
                 .events = POLLIN,
                 .revents = 0}
            );
        const timespec limit{
            .tv_sec = timeout_us / 1'000'000, .tv_nsec = timeout_us % 1'000'000 * 1000
        };
        (void)::ppoll(all.data(), all.size(), &limit, nullptr);
    }

  private:
    int fd_;
    std::uint16_t port_;
};

Outcome<Addresses> resolve(const std::string& host, std::uint16_t port, int flags) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = flags;
    addrinfo* list = nullptr;
    if (const int code = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
        code != 0)
        return fail(base::Fault::again, fmt::format("{}: {}", host, gai_strerror(code)));
    return Addresses{list};
}

int open_socket(const addrinfo& at) {
    return ::socket(at.ai_family, at.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, at.ai_protocol);
}

std::uint16_t port_of(int fd) {
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0) return 0;
    std::array<char, NI_MAXSERV> port{};
    if (getnameinfo(
            reinterpret_cast<const sockaddr*>(&bound),
            size,
            nullptr,
            0,
            port.data(),
            port.size(),
            NI_NUMERICSERV
        ) != 0)
        return 0;
    return static_cast<std::uint16_t>(std::strtoul(port.data(), nullptr, 10));
}

}  // namespace

Outcome<std::unique_ptr<Listener>> PosixSockets::listen(
    const std::string& address, std::uint16_t port
) {
    auto list = resolve(address, port, AI_NUMERICHOST | AI_PASSIVE);
    if (!list) return std::unexpected(list.error());
    const addrinfo& at = **list;
    const int fd = open_socket(at);
    const int on = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        ::bind(fd, at.ai_addr, at.ai_addrlen) != 0 || ::listen(fd, waiting_max) != 0) {
        const int error = errno;
        if (fd >= 0) ::close(fd);
        return fail(
            base::Fault::again, fmt::format("{}:{}: {}", address, port, std::strerror(error))
        );
    }
    return std::make_unique<PosixListener>(fd, port_of(fd));
}

Outcome<std::unique_ptr<Connection>> PosixSockets::connect(
    const std::string& host, std::uint16_t port
) {
    auto list = resolve(host, port, 0);
    if (!list) return std::unexpected(list.error());
    int error = 0;
    for (const addrinfo* at = list->get(); at != nullptr; at = at->ai_next) {
        const int fd = open_socket(*at);
        if (fd >= 0 && (::connect(fd, at->ai_addr, at->ai_addrlen) == 0 || passes(errno)))
            return std::make_unique<PosixConnection>(fd, fmt::format("{}:{}", host, port));
        error = errno;
        if (fd >= 0) ::close(fd);
    }
    return fail(base::Fault::again, fmt::format("{}:{}: {}", host, port, std::strerror(error)));
}

}  // namespace stator::sockets
