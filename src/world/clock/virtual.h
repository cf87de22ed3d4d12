// VirtualClock is the simulation's clock: it moves only when somebody waits or moves it.
//
// set_unix_ms() is the person who sets the clock: wall time jumps, monotonic time does not.
#pragma once

#include "world/clock/clock.h"

namespace stator::clock {

class VirtualClock final : public Clock {
  public:
    explicit VirtualClock(std::int64_t start_unix_ms) : offset_us_{start_unix_ms * 1000} {}

    [[nodiscard]] std::int64_t unix_ms() override { return (offset_us_ + now_us_) / 1000; }

    [[nodiscard]] std::int64_t monotonic_us() override { return now_us_; }

    void wait_us(std::int64_t duration_us) override {
        if (duration_us > 0) now_us_ += duration_us;
    }

    void set_unix_ms(std::int64_t unix_ms) { offset_us_ = unix_ms * 1000 - now_us_; }

  private:
    std::int64_t offset_us_;  // wall time minus monotonic time
    std::int64_t now_us_ = 0;
};

}  // namespace stator::clock
