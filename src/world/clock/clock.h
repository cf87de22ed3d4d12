// The Clock is the door through which time comes in.
//
// unix_ms() may jump (somebody sets the clock); monotonic_us() never goes back. wait_us() gives the
// machine away: the real clock sleeps, the simulated one moves virtual time forward.
#pragma once

#include <cstdint>

namespace stator::clock {

class Clock {
  public:
    virtual ~Clock() = default;
    [[nodiscard]] virtual std::int64_t unix_ms() = 0;
    [[nodiscard]] virtual std::int64_t monotonic_us() = 0;
    virtual void wait_us(std::int64_t duration_us) = 0;
};

}  // namespace stator::clock
