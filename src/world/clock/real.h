// RealClock is the machine's own clock: CLOCK_REALTIME, CLOCK_MONOTONIC, and sleep.
#pragma once

#include "world/clock/clock.h"

namespace stator::clock {

class RealClock final : public Clock {
  public:
    [[nodiscard]] std::int64_t unix_ms() override;
    [[nodiscard]] std::int64_t monotonic_us() override;
    void wait_us(std::int64_t duration_us) override;
};

}  // namespace stator::clock
