#include "world/clock/real.h"

#include <cerrno>
#include <ctime>

namespace stator::clock {
namespace {

timespec now(clockid_t which) {
    timespec t{};
    clock_gettime(which, &t);
    return t;
}

}  // namespace

std::int64_t RealClock::unix_ms() {
    const timespec t = now(CLOCK_REALTIME);
    return std::int64_t{t.tv_sec} * 1000 + t.tv_nsec / 1'000'000;
}

std::int64_t RealClock::monotonic_us() {
    const timespec t = now(CLOCK_MONOTONIC);
    return std::int64_t{t.tv_sec} * 1'000'000 + t.tv_nsec / 1000;
}

void RealClock::wait_us(std::int64_t duration_us) {
    if (duration_us <= 0) return;
    // An absolute end, so that a signal does not make the wait longer.
    timespec end = now(CLOCK_MONOTONIC);
    end.tv_sec += duration_us / 1'000'000;
    end.tv_nsec += (duration_us % 1'000'000) * 1000;
    if (end.tv_nsec >= 1'000'000'000) {
        end.tv_nsec -= 1'000'000'000;
        ++end.tv_sec;
    }
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, nullptr) == EINTR) {
    }
}

}  // namespace stator::clock
