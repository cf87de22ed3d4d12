// Whatever comes for a time server's answer: without the question's cookie it is nothing, and the
// clock never stands below its bound nor goes back by more than a correction.
#include "sense/session/clock.h"
#include "sense/session/fake_socket_test.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
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

// Packets of 48 bytes, each behind a byte that says whether a question comes before it, and whether
// the last one's cookie is put into it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    TestClock clock{unix_s_min};
    FakeChance chance;
    TimeQuestion question{clock, chance};
    std::optional<TimeQuestion::Packet> asked;  // and not answered
    std::span<const std::uint8_t> rest{data, size};
    while (!rest.empty()) {
        const std::uint8_t how = rest[0];
        const std::size_t bytes = std::min<std::size_t>(rest.size() - 1, 48);
        const auto packet = rest.subspan(1, bytes);
        std::vector<std::uint8_t> answer(packet.begin(), packet.end());
        rest = rest.subspan(1 + bytes);
        clock.now_us += 1'000'000;
        if (how % 4 != 0) asked = question.ask();
        if (asked && how % 2 != 0 && bytes == 48)
            std::copy_n(asked->begin() + 40, 8, answer.begin() + 24);
        // The fuzzer itself may find out what is chance on a device.
        const bool repeats =
            asked && bytes == 48 && std::equal(asked->begin() + 40, asked->end(), &answer[24]);
        const std::int64_t before = clock.unix_ms();
        const bool taken = question.take(answer);
        if (taken && (!repeats || !clock.synced())) std::abort();
        if (!taken && clock.unix_ms() != before) std::abort();
        if (clock.synced() &&
            (clock.unix_ms() < unix_s_min * 1000 || clock.unix_ms() < before - 60'000))
            std::abort();
        if (question.take(answer)) std::abort();  // it is good for once
        if (taken) asked.reset();
    }
    return 0;
}
