// A microcontroller's sessions do what every port's Link and Fetch must, over sockets in memory
// whose other side is a broker and a server of a few lines.
#include "sense/hal/fetch_conformance.h"
#include "sense/hal/link_conformance.h"
#include "sense/session/fake_socket_test.h"
#include "sense/session/http_session.h"
#include "sense/session/mqtt_session.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace stator::session {
namespace {

constexpr int turns_max = 3'000;
constexpr std::int64_t turn_us = 10'000;

class Broker final : public hal::LinkSide {
  public:
    Broker(FakeSocket& socket, FakeClock& clock) : socket_{socket}, clock_{clock} {}

    void begin() override { turns_ = 0; }

    bool turn() override {
        clock_.now_us += turn_us;
        if (connects_ != socket_.connects) socket_.coming.clear();  // of the one before
        connects_ = socket_.connects;
        while (const auto packet = next())
            answer(*packet);
        return ++turns_ < turns_max;
    }

    void deliver(std::string_view payload) override {
        EXPECT_FALSE(topic_.empty()) << "it has not subscribed";
        std::string body = text(topic_) + std::string{'\0', '\1', '\0'} + std::string{payload};
        socket_.coming += std::string{'\x32', static_cast<char>(body.size())} + body;
    }

    void break_off() override {
        topic_.clear();
        socket_.break_off("the broker was killed");
    }

  private:
    static std::string text(const std::string& it) {
        return std::string{'\0', static_cast<char>(it.size())} + it;
    }

    static std::size_t u16(const std::string& bytes, std::size_t at) {
        return static_cast<std::size_t>(static_cast<unsigned char>(bytes[at])) << 8U |
               static_cast<unsigned char>(bytes[at + 1]);
    }

    // The first byte and the body of the packet in front, when it is whole.
    std::optional<std::string> next() {
        std::size_t size = 0;
        std::size_t at = 1;
        for (;; ++at) {
            if (at >= socket_.sent.size()) return std::nullopt;
            const auto digit = static_cast<unsigned char>(socket_.sent[at]);
            size |= std::size_t{digit & 127U} << 7 * (at - 1);
            if (digit < 128) break;
        }
        if (socket_.sent.size() < at + 1 + size) return std::nullopt;
        std::string packet = socket_.sent[0] + socket_.sent.substr(at + 1, size);
        socket_.sent.erase(0, at + 1 + size);
        return packet;
    }

    void answer(const std::string& packet) {
        const auto id = [&](std::size_t at) { return packet.substr(at, 2); };
        switch (static_cast<unsigned char>(packet[0]) >> 4U) {
            case 1:
                socket_.coming += std::string{'\x20', 3, '\0', '\0', '\0'};
                break;
            case 3:
                socket_.coming += std::string{'\x40', 2} + id(3 + u16(packet, 1));
                break;
            case 8:
                topic_ = packet.substr(6, u16(packet, 4));
                socket_.coming += std::string{'\x90', 4} + id(1) + std::string{'\0', '\1'};
                break;
            case 12:
                socket_.coming += std::string{'\xD0', '\0'};
                break;
            default:
                break;
        }
    }

    FakeSocket& socket_;
    FakeClock& clock_;
    std::string topic_;
    int connects_ = 0;
    int turns_ = 0;
};

TEST(MqttSession, DoesWhatEveryLinkMust) {
    for (const std::size_t at_once : {100'000U, 700U, 1U}) {
        FakeSocket socket;
        socket.takes_at_once = socket.gives_at_once = at_once;
        FakeClock clock;
        FakeChance chance;
        std::array<std::uint8_t, 2048> packet{};
        MqttSession session{socket, clock, chance, {{10, 0, 2, 2}, 8883, "site"}, "d1", packet};
        Broker broker{socket, clock};
        const std::string payload(300, 'p');
        EXPECT_EQ(hal::check_link(session, broker, {"up", "down", payload, "one", "two"}), "")
            << at_once << " bytes at once";
    }
}

class FileServer final : public hal::FetchSide {
  public:
    FileServer(FakeSocket& socket, FakeClock& clock, std::string content)
        : socket_{socket}, clock_{clock}, content_{std::move(content)} {}

    void begin() override { turns_ = 0; }

    bool turn() override {
        clock_.now_us += turn_us;
        if (connects_ != socket_.connects) {
            socket_.coming.clear();
            socket_.ended = false;
        }
        connects_ = socket_.connects;
        const std::size_t end = socket_.sent.find("\r\n\r\n");
        if (end != std::string::npos) answer(socket_.sent.substr(0, end));
        return ++turns_ < turns_max;
    }

    [[nodiscard]] bool has_broken() const { return broken_; }

  private:
    void answer(const std::string& head) {
        socket_.sent.clear();  // one question at a time, and the form is a short one
        const std::string path =
            head.substr(head.find(' ') + 1, head.find(" HTTP") - 1 - head.find(' '));
        if (head.starts_with("POST")) return say("200 OK", "", "TRUE");
        if (path != "/file" && path != "/breaks") return say("404 Not Found", "", "no");
        const std::size_t range = head.find("bytes=") + 6;
        const std::size_t first = std::stoul(head.substr(range));
        const std::size_t last = std::stoul(head.substr(head.find('-', range) + 1));
        const std::string piece = content_.substr(first, last - first + 1);
        const bool breaks = path == "/breaks" && first > 0 && !broken_;
        say("206 Partial Content",
            "Content-Range: bytes " + std::to_string(first) + '-' +
                std::to_string(first + piece.size() - 1) + '/' + std::to_string(content_.size()) +
                "\r\n",
            piece,
            breaks ? piece.size() / 2 : piece.size());
        broken_ = broken_ || breaks;
        socket_.ended = breaks;
    }

    void say(
        const std::string& status,
        const std::string& more,
        const std::string& body,
        std::size_t said = std::string::npos
    ) {
        socket_.coming += "HTTP/1.1 " + status + "\r\n" + more +
                          "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
                          body.substr(0, said);
    }

    FakeSocket& socket_;
    FakeClock& clock_;
    std::string content_;
    bool broken_ = false;
    int connects_ = 0;
    int turns_ = 0;
};

TEST(HttpSession, DoesWhatEveryFetchMust) {
    std::string content;
    for (int i = 0; i < 4'321; ++i)
        content += static_cast<char>(i * 31 + i / 256);
    for (const std::size_t at_once : {100'000U, 700U, 1U}) {
        FakeSocket socket;
        socket.takes_at_once = socket.gives_at_once = at_once;
        FakeClock clock;
        const Server server{{10, 0, 2, 2}, 1, "site"};
        HttpSession session{socket, clock, server, server};
        FileServer files{socket, clock, content};
        hal::FetchWords words;
        words.path = "/file";
        words.content = std::as_bytes(std::span{content});
        words.breaks = "/breaks";
        words.missing = "/missing";
        words.form_path = "/confirmActivation";
        words.form = "device_id=d1";
        words.form_answer = "TRUE";
        EXPECT_EQ(hal::check_fetch(session, files, words), "") << at_once << " bytes at once";
        EXPECT_TRUE(files.has_broken());
    }
}

}  // namespace
}  // namespace stator::session
