// The network on the board: an address, the time, then one MQTT session over mutual TLS 1.2.
//
// What it needs lies in PSRAM, each field as 4 bytes of length and the bytes, which end with a
// zero: broker's name, broker's port, time server's port, lower bound of the time (unix seconds),
// client id, CA, certificate, key. The servers are the emulator's host.
#include "sense/hal/conformance.h"
#include "sense/port/cortex_m/board.h"
#include "sense/port/cortex_m/network.h"
#include "sense/port/cortex_m/tls_socket.h"
#include "shared/wire/decimal.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

namespace {

using namespace stator;
using cortex_m::print;
using cortex_m::TlsSocket;

constexpr std::uintptr_t fields_at = cortex_m::psram_begin + 0x40'0000;
constexpr std::int64_t address_us_max = 20'000'000;
constexpr std::int64_t time_us_max = 6'000'000;
constexpr std::int64_t session_us_max = 60'000'000;

std::array<std::span<const std::uint8_t>, 8> fields() {
    std::array<std::span<const std::uint8_t>, 8> found;
    const auto* place = reinterpret_cast<const std::uint8_t*>(fields_at);
    for (auto& field : found) {
        std::uint32_t bytes = 0;
        std::memcpy(&bytes, place, sizeof bytes);
        field = {place + sizeof bytes, bytes};
        place += sizeof bytes + bytes;
    }
    return found;
}

const char* text(std::span<const std::uint8_t> field) {
    return reinterpret_cast<const char*>(field.data());
}

std::int64_t number(std::span<const std::uint8_t> field) {
    return wire::to_integer(std::string_view{text(field)}).value_or(0);
}

int ended(std::string_view how) {
    print("result ");
    print(how);
    print("\n");
    return 0;
}

struct Board {
    explicit Board(std::int64_t unix_s_min) : clock{unix_s_min} {}

    template <typename Done>
    bool wait(std::int64_t us_max, Done&& done) {
        const std::int64_t end = cortex_m::monotonic_us() + us_max;
        while (!done()) {
            if (cortex_m::monotonic_us() >= end) return false;
            network.step();
        }
        return true;
    }

    // One whole packet of the broker: its first byte, or nothing.
    std::optional<std::uint8_t> packet() {
        std::array<std::uint8_t, 4> bytes{};
        std::size_t have = 0;
        const bool whole = wait(session_us_max, [&] {
            const auto got = socket.read(std::span{bytes}.subspan(have));
            if (!got) return true;
            have += *got;
            return have == bytes.size();
        });
        if (!whole || have != bytes.size() || bytes[1] != 2) return std::nullopt;
        const bool refused = bytes[0] == 0x20 && bytes[3] != 0;
        return refused ? std::nullopt : std::optional{bytes[0]};
    }

    cortex_m::Clock clock;
    cortex_m::Entropy entropy;
    cortex_m::Network network{clock, entropy};
    cortex_m::Tls tls{clock};
    TlsSocket socket{tls};
};

std::optional<Board> the_board;
std::uint32_t step_ticks_max = 0;
std::uint64_t handshake_ticks = 0;

void say_cost(std::string_view what, std::uint64_t value) {
    print("cost ");
    print(what);
    print(" = ");
    cortex_m::print_number(value);
    print("\n");
}

// Instructions, when the emulator counts them as 64 ns each.
std::uint64_t instructions(std::uint64_t ticks) {
    return ticks * 40 / 64;
}

bool session(Board& board, std::string_view id) {
    std::array<std::uint8_t, 128> packet{0x10};
    constexpr std::array<std::uint8_t, 10> head = {0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 30};
    std::memcpy(&packet[2], head.data(), head.size());
    packet[13] = static_cast<std::uint8_t>(id.size());
    std::memcpy(&packet[14], id.data(), id.size());
    packet[1] = static_cast<std::uint8_t>(12 + id.size());
    const auto send = [&](std::size_t bytes) {
        const auto sent = board.socket.write(std::span{packet}.first(bytes));
        return sent && *sent == bytes;
    };
    if (!send(14 + id.size()) || board.packet() != 0x20) return false;
    // A publish of QoS 1, and its acknowledgement.
    constexpr std::string_view topic = "stator/board";
    constexpr std::string_view payload = "here";
    packet = {0x32, static_cast<std::uint8_t>(4 + topic.size() + payload.size()), 0, topic.size()};
    std::memcpy(&packet[4], topic.data(), topic.size());
    packet[5 + topic.size()] = 1;
    std::memcpy(&packet[6 + topic.size()], payload.data(), payload.size());
    if (!send(2U + packet[1]) || board.packet() != 0x40) return false;
    packet = {0xE0, 0};  // a planned end: no last will
    return send(2);
}

int run() {
    const auto field = fields();
    Board& board = the_board.emplace(number(field[3]));
    if (!board.network.start()) return ended("no Ethernet");
    if (!board.wait(address_us_max, [&] { return board.network.has_address(); }))
        return ended("no address");
    print("address\n");
    ip_addr_t server;
    IP4_ADDR(&server, 10, 0, 2, 2);
    board.network.ask_time(server, static_cast<std::uint16_t>(number(field[2])));
    static_cast<void>(board.wait(time_us_max, [&] { return board.clock.synced(); }));
    if (board.network.times_refused() > 0) print("a time below the bound was refused\n");
    if (const auto broken = hal::check_time(board.clock); !broken.empty()) return ended(broken);
    if (const auto broken = hal::check_entropy(board.entropy); !broken.empty())
        return ended(broken);
    print("time and entropy conform\n");
    if (const auto why = board.tls.start({field[5], field[6], field[7]}); !why.empty())
        return ended(why);
    const session::Server broker{
        .address = {10, 0, 2, 2},
        .port = static_cast<std::uint16_t>(number(field[1])),
        .host = text(field[0]),
    };
    if (const auto asked = board.socket.connect(broker); !asked)
        return ended(asked.error() == base::Fault::again ? "no clock" : "no connection");
    static_cast<void>(board.wait(session_us_max, [&] {
        const std::uint32_t begun = cortex_m::timer_ticks();
        const auto state = board.socket.step();
        const std::uint32_t ticks = cortex_m::timer_ticks() - begun;
        step_ticks_max = std::max(step_ticks_max, ticks);
        handshake_ticks += ticks;
        return state == TlsSocket::State::open || state == TlsSocket::State::closed;
    }));
    if (board.socket.step() != TlsSocket::State::open) return ended(board.socket.reason());
    if (!session(board, text(field[4]))) return ended("no session");
    board.socket.close();
    static_cast<void>(board.wait(200'000, [] { return false; }));  // what is on its way leaves
    return ended("acknowledged");
}

}  // namespace

int main() {
    cortex_m::board_start();
    const int code = run();
    say_cost("tls_pool", cortex_m::Tls::pool_bytes_most());
    say_cost("stack", cortex_m::stack_bytes_used());
    say_cost("handshake", instructions(handshake_ticks));
    say_cost("handshake_step", instructions(step_ticks_max));
    return code;
}
