// The Chip is what every ESP32 has: its number, its timer, its chance, its console, its watchdog.
#pragma once

#include "sense/hal/board.h"
#include "sense/session/clock.h"
#include "shared/base/fixed.h"

#include <cstdint>
#include <string_view>

namespace stator::esp32 {

using ChipId = base::FixedString<12>;

// The device key: the three bytes of the factory MAC that Espressif counts up, in decimal.
[[nodiscard]] ChipId chip_id();

// Why the chip started; a word of the `started` event.
[[nodiscard]] std::string_view start_cause();

class Clock final : public session::Clock {
  public:
    using session::Clock::Clock;

    [[nodiscard]] std::int64_t monotonic_us() override;
};

class Entropy final : public hal::Entropy {
  public:
    std::uint32_t next() override;  // true chance only while the radio is on
};

// Once started it resets the chip when the task that started it does not feed it.
class Watchdog final : public hal::Watchdog {
  public:
    static constexpr std::uint32_t timeout_s = 20;

    [[nodiscard]] bool start();
    void feed() override;
};

class Log final : public hal::Log {
  public:
    void info(std::string_view text) override;
    void warn(std::string_view text) override;
};

}  // namespace stator::esp32
