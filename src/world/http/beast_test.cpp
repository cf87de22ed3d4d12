// BeastHttp against peers that misbehave, idle, stream and keep alive.
#include "world/http/beast.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace stator::http {
namespace {

using namespace std::chrono_literals;

// A TCP peer that says what it likes.
class Peer {
  public:
    explicit Peer(std::uint16_t port) : socket_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const timeval limit{10, 0};
        setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        EXPECT_EQ(connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    }

    ~Peer() { close(socket_); }

    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

    void say(std::string_view text) const {
        EXPECT_EQ(
            send(socket_, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size())
        );
    }

    // Reads until `end` was heard, or the server closes (or ten seconds of silence).
    std::string hear(std::string_view end = {}) const {
        std::string heard;
        std::array<char, 4096> buffer{};
        while (end.empty() || heard.find(end) == std::string::npos) {
            const ssize_t n = recv(socket_, buffer.data(), buffer.size(), 0);
            if (n <= 0) break;
            heard.append(buffer.data(), static_cast<std::size_t>(n));
        }
        return heard;
    }

  private:
    int socket_;
};

class BeastTest : public testing::Test {
  protected:
    ~BeastTest() override {
        stopping = true;
        if (pump.joinable()) pump.join();
    }

    void serve(ListenOptions options) {
        auto listening = http.listen(std::move(options), [this](const Request& request) {
            Response response;
            if (request.path == "/events") {
                stream = server->new_stream();
                response.stream = stream.load();
                response.headers["Content-Type"] = "text/event-stream";
                response.body = "data: first\n\n";
            } else {
                response.body = request.path;
            }
            return response;
        });
        ASSERT_TRUE(listening) << listening.error().what;
        server = std::move(*listening);
        pump = std::thread{[this] {
            while (!stopping) {
                server->poll(2000);
                const std::lock_guard guard{mutex};
                if (work) work();
                work = nullptr;
            }
        }};
    }

    // Runs `job` between two polls, as a service's step() would.
    void between_polls(std::function<void()> job) {
        std::atomic<bool> done = false;
        {
            const std::lock_guard guard{mutex};
            work = [&] {
                job();
                done = true;
            };
        }
        while (!done)
            std::this_thread::yield();
    }

    std::string url(const std::string& path) {
        return "http://127.0.0.1:" + std::to_string(server->port()) + path;
    }

    BeastHttp http;
    std::unique_ptr<Server> server;
    std::atomic<StreamId> stream = 0;
    std::function<void()> work;
    std::mutex mutex;
    std::thread pump;
    std::atomic<bool> stopping = false;
};

TEST_F(BeastTest, ASlowHeadGets408AndASilentConnectionIsClosedWithoutAWord) {
    serve({.idle_timeout_s = 1});
    const Peer slow{server->port()};
    const Peer silent{server->port()};
    slow.say("GET / HTTP/1.1\r\nHo");
    EXPECT_TRUE(slow.hear().starts_with("HTTP/1.1 408 "));
    EXPECT_EQ(silent.hear(), "");
}

TEST_F(BeastTest, ADripOfBytesDoesNotPutTheTimeoutOff) {
    serve({.idle_timeout_s = 1});
    const Peer peer{server->port()};
    const auto began = std::chrono::steady_clock::now();
    std::atomic<bool> answered = false;
    std::thread drip{[&] {  // a byte each 100 ms: slow-loris
        peer.say("GET / HTTP/1.1\r\nX: ");
        for (int i = 0; i < 80 && !answered; ++i) {
            std::this_thread::sleep_for(100ms);
            if (!answered) peer.say("x");
        }
    }};
    EXPECT_TRUE(peer.hear("408").starts_with("HTTP/1.1 408"));
    answered = true;
    drip.join();
    EXPECT_LT(std::chrono::steady_clock::now() - began, 5s);
}

TEST_F(BeastTest, ASlowBodyGets408) {
    serve({.body_bytes_max = 1000, .idle_timeout_s = 1});
    const Peer peer{server->port()};
    peer.say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc");
    EXPECT_TRUE(peer.hear().starts_with("HTTP/1.1 408 "));
}

TEST_F(BeastTest, OneIsServedWhileTwoHundredIdle) {
    serve({});
    std::vector<std::unique_ptr<Peer>> idle;
    for (int i = 0; i < 200; ++i) {
        idle.push_back(std::make_unique<Peer>(server->port()));
        if (i % 2 == 0) idle.back()->say("GET / HT");
    }
    const auto response = http.request({.url = url("/x"), .timeout_ms = 5000});
    ASSERT_TRUE(response) << response.error().what;
    EXPECT_EQ(response->body, "/x");
}

TEST_F(BeastTest, BeyondItsConnectionsItSays503) {
    serve({.connections_max = 2});
    const Peer first{server->port()};
    const Peer second{server->port()};
    first.say("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
    second.say("GET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(first.hear("/1").starts_with("HTTP/1.1 200"));
    EXPECT_TRUE(second.hear("/2").starts_with("HTTP/1.1 200"));
    const auto refused = http.request({.url = url("/3")});
    ASSERT_TRUE(refused) << refused.error().what;
    EXPECT_EQ(refused->status, 503);
    first.say("GET /4 HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(first.hear("/4").starts_with("HTTP/1.1 200")) << "who was in stays in";
}

TEST_F(BeastTest, BytesThatAreNoHttpGet400) {
    serve({});
    for (const char* text :
         {"nonsense\r\n\r\n",
          "GET / HTTP/9.9\r\n\r\n",
          "GET %zz HTTP/1.1\r\n\r\n",
          "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"}) {
        const Peer peer{server->port()};
        peer.say(text);
        EXPECT_TRUE(peer.hear().starts_with("HTTP/1.1 400 ")) << text;
    }
}

TEST_F(BeastTest, ALargeUploadIsRefusedBeforeItIsReadAndThePeerHearsWhy) {
    serve({.body_bytes_max = 1000});
    const auto response = http.request(
        {.method = "POST", .url = url("/"), .body = std::string(3'000'000, 'x'), .timeout_ms = 8000}
    );
    ASSERT_TRUE(response) << response.error().what;
    EXPECT_EQ(response->status, 413);
}

TEST_F(BeastTest, AsksForABodyThatWasAnnounced) {
    serve({});
    const Peer peer{server->port()};
    peer.say("POST /u HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_TRUE(peer.hear("\r\n\r\n").starts_with("HTTP/1.1 100 "));
    peer.say("abc");
    EXPECT_TRUE(peer.hear("/u").starts_with("HTTP/1.1 200 "));
}

TEST_F(BeastTest, PipelinedRequestsAreAnsweredInOrder) {
    serve({});
    const Peer peer{server->port()};
    peer.say("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nConnection: close\r\n\r\n");
    const std::string heard = peer.hear();
    EXPECT_LT(heard.find("/1"), heard.find("/2"));
    EXPECT_NE(heard.find("/2"), std::string::npos);
}

TEST_F(BeastTest, AConnectionIsUsedAgainButNotAfterTheServerWentAway) {
    serve({});
    for (int i = 0; i < 10; ++i)
        ASSERT_TRUE(http.request({.url = url("/")}));
    EXPECT_EQ(http.connections_made(), 1U);
    const std::uint16_t port = server->port();
    stopping = true;
    pump.join();
    server.reset();
    stopping = false;
    serve({.port = port});
    const auto response = http.request({.url = url("/again")});
    ASSERT_TRUE(response) << response.error().what;
    EXPECT_EQ(http.connections_made(), 2U);
}

TEST_F(BeastTest, AnOverdueAnswerIsAnErrorOnTime) {
    serve({});
    between_polls([&] {  // the server does nothing meanwhile
        const auto began = std::chrono::steady_clock::now();
        const auto response = http.request({.url = url("/"), .timeout_ms = 200});
        EXPECT_FALSE(response);
        EXPECT_LT(std::chrono::steady_clock::now() - began, 3s);
    });
}

TEST_F(BeastTest, AStreamGoesOnUntilThePeerLeaves) {
    serve({});
    auto peer = std::make_unique<Peer>(server->port());
    peer->say("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string head = peer->hear("data: first\n\n");
    EXPECT_TRUE(head.starts_with("HTTP/1.1 200 OK\r\n"));
    EXPECT_NE(head.find("Content-Type: text/event-stream\r\n"), std::string::npos);
    EXPECT_EQ(head.find("Content-Length"), std::string::npos);
    bool pushed = false;
    between_polls([&] { pushed = server->push(stream, "data: second\n\n"); });
    EXPECT_TRUE(pushed);
    EXPECT_EQ(peer->hear("second\n\n"), "data: second\n\n");
    peer.reset();
    const auto limit = std::chrono::steady_clock::now() + 10s;
    while (pushed && std::chrono::steady_clock::now() < limit) {
        between_polls([&] { pushed = server->push(stream, "data: third\n\n"); });
    }
    EXPECT_FALSE(pushed);
}

TEST_F(BeastTest, AReaderThatDoesNotReadIsCutOffAtABoundedBacklog) {
    serve({});
    const Peer peer{server->port()};
    peer.say("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_NE(peer.hear("first").find("first"), std::string::npos);
    const std::string chunk(64U << 10U, 'x');
    int pushes = 0;
    bool pushed = true;
    for (; pushed && pushes < 10'000; ++pushes) {
        between_polls([&] { pushed = server->push(stream, chunk); });
    }
    EXPECT_FALSE(pushed);
    EXPECT_LT(pushes, 400) << "over 25 MB were kept for a peer that does not read";
}

TEST_F(BeastTest, AHeaderOfTheHandlerCannotEndItsLine) {
    auto listening = http.listen({}, [](const Request&) {
        Response response;
        response.headers["X-Name"] = "a\r\nX-Evil: 1";
        return response;
    });
    ASSERT_TRUE(listening);
    server = std::move(*listening);
    pump = std::thread{[this] {
        while (!stopping)
            server->poll(2000);
    }};
    const auto response = http.request({.url = url("/")});
    ASSERT_TRUE(response) << response.error().what;
    EXPECT_FALSE(response->headers.contains("x-evil"));
}

}  // namespace
}  // namespace stator::http
