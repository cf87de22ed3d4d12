// A FakeSocket is a Socket whose other side is the test.
#pragma once

#include "sense/hal/board.h"
#include "sense/session/socket.h"

#include <algorithm>
#include <string>

namespace stator::session {

struct FakeSocket final : Socket {
    base::Result<void> connect(const Server& server) override {
        ++connects;
        asked = server;
        if (no_clock) return std::unexpected{base::Fault::again};
        sent.clear();
        state = State::shaking_hands;
        return {};
    }

    State step() override {
        if (state == State::shaking_hands && lets_in) state = State::open;
        return state;
    }

    base::Result<std::size_t> write(std::span<const std::uint8_t> bytes) override {
        if (state != State::open) return std::unexpected{base::Fault::io};
        const std::size_t taken = std::min(bytes.size(), takes_at_once);
        sent.append(reinterpret_cast<const char*>(bytes.data()), taken);
        return taken;
    }

    base::Result<std::size_t> read(std::span<std::uint8_t> bytes) override {
        if (state != State::open || (coming.empty() && ended) ||
            (bytes.empty() && takes_no_empty_read)) {
            close();
            why = "the other side closed the connection";
            return std::unexpected{base::Fault::io};
        }
        const std::size_t given = std::min({bytes.size(), coming.size(), gives_at_once});
        std::ranges::copy(coming.substr(0, given), bytes.begin());
        coming.erase(0, given);
        return given;
    }

    void close() override { state = State::closed; }

    [[nodiscard]] std::string_view reason() const override { return why; }

    // The other side goes, as a broker that is killed.
    void break_off(std::string_view reason) {
        close();
        why = reason;
    }

    State state = State::closed;
    Server asked;
    std::string sent;
    std::string coming;
    std::string_view why;
    bool lets_in = true;
    bool no_clock = false;
    bool ended = false;
    bool takes_no_empty_read = false;  // to mbedTLS 0 bytes of 0 are the end of the connection
    int connects = 0;
    std::size_t takes_at_once = 100'000;
    std::size_t gives_at_once = 100'000;
};

struct FakeClock final : hal::Time {
    std::int64_t monotonic_us() override { return now_us; }

    std::int64_t unix_ms() override { return 1'700'000'000'000 + now_us / 1000; }

    bool synced() override { return true; }

    std::int64_t now_us = 0;
};

struct FakeChance final : hal::Entropy {
    std::uint32_t next() override { return state = state * 1664525U + 1013904223U; }

    std::uint32_t state = 1;
};

}  // namespace stator::session
