// Whatever comes for a time server's answer: without the question's cookie it is nothing, and the
// clock never stands below its bound nor goes back by more than a correction.
#include "sense/session/clock.h"
#include "sense/session/fake_socket_test.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

namespace {

using namespace stator::session;

constexpr std::int64_t unix_s_min = 1'767'225'600;

struct TestClock final : Clock {
    using Clock::Clock;

    std::int64_t monotonic_us() override { return now_us; }

    std::int64_t now_us = 0;
};

}  // namespace

// Packets of 48 bytes, each behind a byte: odd, and the question's cookie is put into it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    TestClock clock{unix_s_min};
    FakeChance chance;
    TimeQuestion question{clock, chance};
    std::span<const std::uint8_t> rest{data, size};
    while (!rest.empty()) {
        const std::uint8_t how = rest[0];
        const std::size_t bytes = std::min<std::size_t>(rest.size() - 1, 48);
        const auto packet = rest.subspan(1, bytes);
        std::vector<std::uint8_t> answer(packet.begin(), packet.end());
        rest = rest.subspan(1 + bytes);
        clock.now_us += 1'000'000;
        const bool asks = how % 4 != 0;
        bool repeats = false;
        if (asks) {
            const auto asked = question.ask();
            const auto cookie = std::span{asked}.last(8);
            if (how % 2 != 0 && bytes == 48) std::ranges::copy(cookie, answer.begin() + 24);
            // The fuzzer, too, may know what comes of chance here.
            repeats = bytes == 48 && std::ranges::equal(cookie, std::span{answer}.subspan(24, 8));
        }
        const std::int64_t before = clock.unix_ms();
        const bool taken = question.take(answer);
        if (taken && (!repeats || !clock.synced())) std::abort();
        if (!taken && clock.unix_ms() != before) std::abort();
        if (clock.synced() &&
            (clock.unix_ms() < unix_s_min * 1000 || clock.unix_ms() < before - 60'000))
            std::abort();
        if (question.take(answer)) std::abort();  // it is good for once
    }
    return 0;
}
