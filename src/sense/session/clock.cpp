#include "sense/session/clock.h"

#include <algorithm>
#include <cstring>

namespace stator::session {
namespace {

// RFC 4330.
constexpr std::size_t originate_at = 24;  // of an answer: the question's transmit time
constexpr std::size_t transmit_at = 40;
constexpr std::int64_t unix_after_1900_s = 2'208'988'800;
constexpr std::uint32_t since_1968 = 0x8000'0000;  // smaller seconds began anew in 2036 (section 3)
constexpr std::int64_t era_s = std::int64_t{1} << 32U;
constexpr std::uint8_t not_set = 0xC0;  // the leap indicator of a server without the time

constexpr std::int64_t retry_us = 1'000'000;
constexpr std::int64_t again_us = 3'600'000'000;
constexpr std::int64_t back_ms_max = 60'000;  // a correction; more would be another time

}  // namespace

std::int64_t Clock::unix_ms() {
    return synced_ ? offset_ms_ + monotonic_us() / 1000 : 0;
}

bool Clock::set(std::int64_t unix_ms) {
    const std::int64_t before = synced_ ? this->unix_ms() : 0;
    if (unix_ms < unix_s_min_ * 1000 || unix_ms < before - back_ms_max) return false;
    offset_ms_ = unix_ms - monotonic_us() / 1000;
    synced_ = true;
    return true;
}

TimeQuestion::Packet TimeQuestion::ask() {
    next_us_ = clock_.monotonic_us() + retry_us;
    const std::array<std::uint32_t, 2> chance = {entropy_.next(), entropy_.next()};
    std::memcpy(cookie_.data(), chance.data(), sizeof chance);
    asked_ = true;
    Packet question{};
    question[0] = 0x23;  // version 4, client
    std::ranges::copy(cookie_, question.begin() + transmit_at);
    return question;
}

bool TimeQuestion::take(std::span<const std::uint8_t> answer) {
    if (!asked_ || answer.size() < Packet{}.size()) return false;
    const bool ours = std::ranges::equal(cookie_, answer.subspan(originate_at, cookie_.size()));
    const bool server = (answer[0] & 7U) == 4 && (answer[0] & not_set) != not_set &&
                        answer[1] >= 1 && answer[1] <= 15;
    if (!ours || !server) return false;
    const auto word = [&](std::size_t at) {
        return std::uint32_t{answer[at]} << 24U | std::uint32_t{answer[at + 1]} << 16U |
               std::uint32_t{answer[at + 2]} << 8U | answer[at + 3];
    };
    const std::uint32_t seconds = word(transmit_at);
    const std::uint32_t fraction = word(transmit_at + 4);
    if (seconds == 0 && fraction == 0) return false;
    const std::int64_t unix_s =
        std::int64_t{seconds} + (seconds < since_1968 ? era_s : 0) - unix_after_1900_s;
    const std::int64_t ms = std::int64_t{fraction} * 1000 >> 32U;
    asked_ = false;
    const bool believed = clock_.set(unix_s * 1000 + ms);
    if (believed)
        next_us_ = clock_.monotonic_us() + again_us;
    else
        ++refused_;
    return believed;
}

}  // namespace stator::session
