// Whatever a broker sends, in whatever pieces, while the device publishes and time goes on: what
// the session tells lies in what came, what it sends is whole packets, and it asks a socket for
// something.
//
// The input is a story of steps: a byte that says what, a byte that says how much.
#include "sense/session/fake_socket_test.h"
#include "sense/session/mqtt_session.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace {

using namespace stator;
using namespace stator::session;
using Kind = hal::LinkEvent::Kind;

constexpr std::size_t packet_bytes_max = 2048;

// A socket that a port may have: it takes a read or a write of nothing for a mistake.
struct StrictSocket final : Socket {
    base::Result<void> connect(const Server&) override {
        sent.clear();
        coming.clear();
        state = State::open;
        return {};
    }

    State step() override { return state; }

    base::Result<std::size_t> write(std::span<const std::uint8_t> bytes) override {
        if (bytes.empty() || state != State::open) std::abort();
        const std::size_t taken = std::min(bytes.size(), takes_at_once);
        sent.append(reinterpret_cast<const char*>(bytes.data()), taken);
        return taken;
    }

    base::Result<std::size_t> read(std::span<std::uint8_t> bytes) override {
        if (bytes.empty() || state != State::open) std::abort();
        const std::size_t given = std::min(bytes.size(), coming.size());
        std::ranges::copy(coming.substr(0, given), bytes.begin());
        coming.erase(0, given);
        return given;
    }

    void close() override { state = State::closed; }

    [[nodiscard]] std::string_view reason() const override { return "gone"; }

    State state = State::closed;
    std::string sent;
    std::string coming;
    std::size_t takes_at_once = 100'000;
};

// What was sent: packets of kinds that a client may send, the last one perhaps not all gone yet.
void check_sent(std::string_view rest) {
    constexpr std::string_view heads = "\x10\x32\x40\x82\xC0";
    while (!rest.empty()) {
        if (!heads.contains(rest[0])) std::abort();
        std::size_t bytes = 0;
        std::size_t at = 1;
        for (unsigned shift = 0;; shift += 7, ++at) {
            if (at == rest.size()) return;
            if (shift > 21) std::abort();
            bytes |= std::size_t{static_cast<std::uint8_t>(rest[at])} % 128 << shift;
            if (static_cast<std::uint8_t>(rest[at]) < 128) break;
        }
        rest.remove_prefix(std::min(rest.size(), at + 1 + bytes));
    }
}

void check(const hal::LinkEvent& event) {
    if (event.topic.size() + event.payload.size() > packet_bytes_max || event.id > 0xFFFF)
        std::abort();
    const std::string whole = std::string{event.topic} + std::string{event.payload};
    if (event.kind == Kind::disconnected && whole.empty()) std::abort();  // it says why
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    StrictSocket socket;
    FakeClock clock;
    FakeChance chance;
    std::array<std::uint8_t, packet_bytes_max> packet{};
    MqttSession session{socket, clock, chance, {{10, 0, 2, 2}, 8883, "site"}, "d1", packet};
    const std::string topic(192, 't');
    for (int i = 0; i < 4; ++i)
        if (!session.subscribe(topic)) std::abort();
    const std::string payload(4096, 'p');
    const std::string_view input{reinterpret_cast<const char*>(data), size};
    for (std::size_t at = 0; at + 1 < size; at += 2) {
        const std::size_t much = data[at + 1];
        switch (data[at] % 8) {
            case 0:  // the broker says the input's next bytes
                socket.coming += input.substr(at + 2, much);
                at += std::min(much, size - at - 2);
                break;
            case 1:
                socket.coming += std::string(8 * much, '\x40');
                break;
            case 2:
                static_cast<void>(session.publish(topic, std::string_view{payload}.substr(much)));
                break;
            case 3:
                socket.takes_at_once = much * 8;
                break;
            case 4:
                clock.now_us += static_cast<std::int64_t>(much) * 500'000;
                break;
            case 5:
                if (much == 0) socket.close();
                break;
            default:
                break;
        }
        hal::LinkEvent event;
        for (int polls = 0; polls < 3; ++polls)
            if (session.poll(event)) check(event);
        check_sent(socket.sent);
    }
    return 0;
}
