// mqtt_load publishes QoS 1 readings as fast as the broker acknowledges them, and says how fast.
//   mqtt_load PORT CLIENTS SECONDS WINDOW BOOT RATE [CREDENTIALS]
// RATE: messages a second of all clients together; 0 for as many as will go.
// Clients are named bare-1, bare-2, ...; with CREDENTIALS, a folder that holds ca.pem and
// <client>/certificate.pem and key.pem, load-1, load-2, ... over mutual TLS. Each asks for its
// `stored` marks. Prints one line of JSON: acknowledged, marks, seconds.
//
// It must cost less than the broker that it loads, or it is what is measured: no library that takes
// a system call a packet, but sockets that are looked at each half millisecond. For the same reason
// nobody sleeps on them: a broker whose devices are elsewhere does not pay for waking them. Over
// TLS each message is a record of its own, as a device's is.
#include "reading.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <deque>
#include <limits>
#include <string>
#include <string_view>
#include <thread>

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view topic = "shaded-pole-motor-sensor_data";
constexpr auto turn = std::chrono::microseconds(500);
constexpr auto patience = std::chrono::seconds(30);
constexpr std::size_t buffer_bytes = 256U << 10U;

// Of MQTT 3.1.1, section 2.2.1, with the flags that we send.
enum Packet : unsigned char {
    connect = 0x10,
    connack = 0x20,
    publish = 0x30,
    publish_qos1 = 0x32,
    puback = 0x40,
    subscribe = 0x82,
    suback = 0x90,
};

std::string u16(std::size_t value) {
    return {static_cast<char>(value >> 8U), static_cast<char>(value & 0xFFU)};
}

std::string text_of(std::string_view text) {
    return u16(text.size()) + std::string{text};
}

std::string packet(Packet kind, const std::string& rest) {
    std::string bytes{static_cast<char>(kind)};
    std::size_t size = rest.size();
    do {
        const std::size_t digit = size % 128;
        size /= 128;
        bytes += static_cast<char>(digit | (size > 0 ? 0x80U : 0U));
    } while (size > 0);
    return bytes + rest;
}

class Client {
  public:
    explicit Client(std::string name) : name_{std::move(name)} {}

    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    ~Client() {
        SSL_free(tls_);
        if (socket_ >= 0) close(socket_);
    }

    bool start(int port, const std::string& credentials) {
        socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const int yes = 1;
        setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
            return false;
        if (!credentials.empty() && !shake_hands(credentials)) return false;
        fcntl(socket_, F_SETFL, O_NONBLOCK);
        constexpr char clean_session = 2;
        put(packet(
            Packet::connect, text_of("MQTT") + '\x04' + clean_session + u16(3600) + text_of(name_)
        ));
        const std::string marks = "stator/devices/" + name_ + "/stored";
        put(packet(Packet::subscribe, u16(1) + text_of(marks) + '\0'));
        return flush();
    }

    void publish_one(long boot) {
        const std::string text = stator::bench::reading(name_, boot, ++sent);
        const auto id = static_cast<std::size_t>(sent) % 65535 + 1;
        put(packet(Packet::publish_qos1, text_of(topic) + u16(id) + text));
    }

    // What was put goes out together; over TLS as one record for each put().
    bool flush() {
        if (tls_ == nullptr) {
            for (std::string_view rest = out_; !rest.empty() && !lost;) {
                const ssize_t n = send(socket_, rest.data(), rest.size(), MSG_NOSIGNAL);
                if (n > 0) rest.remove_prefix(static_cast<std::size_t>(n));
                if (n < 0 && !wait_until_it_takes_more()) lost = true;
            }
            out_.clear();
        } else {
            while (!lost && BIO_flush(SSL_get_wbio(tls_)) <= 0)
                if (!wait_until_it_takes_more()) lost = true;
        }
        return !lost;
    }

    void read() {
        for (;;) {
            char bytes[16384];
            const auto n = tls_ == nullptr ? recv(socket_, bytes, sizeof bytes, 0)
                                           : SSL_read(tls_, bytes, sizeof bytes);
            if (n > 0) {
                in_.append(bytes, static_cast<std::size_t>(n));
                continue;
            }
            const bool empty =
                tls_ == nullptr ? n < 0 && errno == EAGAIN
                                : SSL_get_error(tls_, static_cast<int>(n)) == SSL_ERROR_WANT_READ;
            if (!empty) lost = true;
            break;
        }
        std::string_view rest = in_;
        while (take_packet(rest)) {
        }
        in_.erase(0, in_.size() - rest.size());
    }

    [[nodiscard]] const std::string& name() const { return name_; }

    bool joined = false;
    bool lost = false;
    long acknowledged = 0;
    long marks = 0;
    long sent = 0;

  private:
    bool shake_hands(const std::string& credentials) {
        SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
        const std::string own = credentials + "/" + name_;
        const bool good =
            SSL_CTX_load_verify_locations(context, (credentials + "/ca.pem").c_str(), nullptr) ==
                1 &&
            SSL_CTX_use_certificate_chain_file(context, (own + "/certificate.pem").c_str()) == 1 &&
            SSL_CTX_use_PrivateKey_file(context, (own + "/key.pem").c_str(), SSL_FILETYPE_PEM) == 1;
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
        SSL_CTX_set_mode(context, SSL_MODE_AUTO_RETRY);
        tls_ = SSL_new(context);
        SSL_CTX_free(context);
        if (!good || SSL_set_fd(tls_, socket_) != 1 || SSL_connect(tls_) != 1) {
            ERR_print_errors_fp(stderr);
            return false;
        }
        BIO* const gathers = BIO_new(BIO_f_buffer());
        BIO_set_write_buffer_size(gathers, buffer_bytes);
        BIO_up_ref(SSL_get_rbio(tls_));
        SSL_set0_wbio(tls_, BIO_push(gathers, SSL_get_rbio(tls_)));
        return true;
    }

    void put(const std::string& bytes) {
        if (tls_ == nullptr) {
            out_ += bytes;
            return;
        }
        while (!lost && SSL_write(tls_, bytes.data(), static_cast<int>(bytes.size())) <= 0)
            if (!wait_until_it_takes_more()) lost = true;
    }

    bool wait_until_it_takes_more() const {
        pollfd one{socket_, POLLOUT, 0};
        return poll(&one, 1, 5000) == 1 && (one.revents & (POLLERR | POLLHUP)) == 0;
    }

    bool take_packet(std::string_view& rest) {
        std::size_t size = 0;
        std::size_t at = 1;
        for (std::size_t shift = 0;; shift += 7) {
            if (at >= rest.size()) return false;
            const auto digit = static_cast<unsigned char>(rest[at++]);
            size |= (digit & 0x7FU) << shift;
            if (digit < 0x80) break;
        }
        if (rest.size() < at + size) return false;
        switch (static_cast<unsigned char>(rest.front()) & 0xF0U) {
            case Packet::connack:
                if (rest[at + 1] != 0) lost = true;
                break;
            case Packet::suback:
                joined = true;
                break;
            case Packet::puback:
                ++acknowledged;
                break;
            case Packet::publish:
                ++marks;
                break;
            default:
                lost = true;
        }
        rest.remove_prefix(at + size);
        return true;
    }

    std::string name_;
    int socket_ = -1;
    SSL* tls_ = nullptr;
    std::string out_;
    std::string in_;
};

void look_at(std::deque<Client>& clients) {
    for (Client& client : clients)
        client.read();
}

bool wait_for(std::deque<Client>& clients, auto&& condition) {
    const auto end = Clock::now() + patience;
    while (!condition()) {
        if (Clock::now() > end) return false;
        std::this_thread::sleep_for(turn);
        look_at(clients);
    }
    return true;
}

bool number(const char* text, long& value) {
    return std::from_chars(text, text + std::strlen(text), value).ec == std::errc();
}

int give_up(const Client& client, std::string_view why) {
    fmt::print(stderr, "{} {}\n", client.name(), why);
    return 1;
}

}  // namespace

int main(int count, char** words) {
    long port = 0, clients_count = 0, seconds = 0, window = 0, boot = 0, rate = 0;
    if (count < 7 || !number(words[1], port) || !number(words[2], clients_count) ||
        !number(words[3], seconds) || !number(words[4], window) || !number(words[5], boot) ||
        !number(words[6], rate)) {
        fmt::print(stderr, "mqtt_load PORT CLIENTS SECONDS WINDOW BOOT RATE [CREDENTIALS]\n");
        return 2;
    }
    const std::string credentials = count > 7 ? words[7] : "";
    std::deque<Client> clients;
    for (long id = 1; id <= clients_count; ++id) {
        Client& client =
            clients.emplace_back(fmt::format("{}-{}", credentials.empty() ? "bare" : "load", id));
        if (!client.start(static_cast<int>(port), credentials))
            return give_up(client, "could not connect");
        if (!wait_for(clients, [&] { return client.joined || client.lost; }) || client.lost)
            return give_up(client, "was not let in");
    }
    const auto begun = Clock::now();
    const auto end = begun + std::chrono::seconds(seconds);
    for (auto next = begun; next < end; next = std::max(next + turn, Clock::now())) {
        std::this_thread::sleep_until(next);
        look_at(clients);
        const double passed_s = std::chrono::duration<double>(Clock::now() - begun).count();
        const long allowed =
            rate == 0 ? std::numeric_limits<long>::max()
                      : static_cast<long>(passed_s * static_cast<double>(rate)) / clients_count;
        for (Client& client : clients) {
            while (client.sent < allowed && client.sent - client.acknowledged < window)
                client.publish_one(boot);
            if (!client.flush() || client.lost) return give_up(client, "was disconnected");
        }
    }
    for (Client& client : clients)
        if (!wait_for(clients, [&] { return client.acknowledged >= client.sent; }))
            return give_up(client, "was not acknowledged everything");
    const double took = std::chrono::duration<double>(Clock::now() - begun).count();
    long acknowledged = 0, marks = 0;
    for (const Client& client : clients) {
        acknowledged += client.acknowledged;
        marks += client.marks;
    }
    fmt::print(
        "{{\"acknowledged\": {}, \"marks\": {}, \"seconds\": {:.4f}}}\n", acknowledged, marks, took
    );
    return 0;
}
