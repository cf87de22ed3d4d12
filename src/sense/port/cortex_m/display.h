// What a board's program says on its UART, for people and tests: a line when something changed, and
// what it costs now and then.
#pragma once

#include "sense/hal/board.h"
#include "sense/node/firmware_updater.h"
#include "sense/port/cortex_m/board.h"
#include "sense/port/cortex_m/connections.h"
#include "sense/port/cortex_m/watchdog.h"

#include <cstdint>
#include <string_view>

namespace stator::cortex_m {

inline void say(std::string_view text) {
    print(text);
    print("\n");
}

class Log final : public hal::Log {
  public:
    void info(std::string_view text) override { say(text); }

    void warn(std::string_view text) override { say(text); }
};

class Watchdog final : public hal::Watchdog {
  public:
    void feed() override { feed_watchdog(); }
};

inline void say_cost(std::string_view what, std::uint64_t value) {
    print("cost ");
    print(what);
    print(" = ");
    print_number(value);
    print("\n");
}

// What every program of a board has to show.
class Display {
  public:
    explicit Display(const Connections& site) : site_{site} {}

    // True now and then: then costs are said, too.
    bool show(std::uint32_t release, std::string_view model, node::FirmwareUpdate firmware);

  private:
    static void say_reason(std::string_view& before, std::string_view now, std::string_view what);

    const Connections& site_;
    std::string_view link_;
    std::string_view fetch_;
    std::uint32_t release_ = 0;
    node::FirmwareUpdate firmware_ = node::FirmwareUpdate::idle;
    std::int64_t next_us_ = 0;
};

}  // namespace stator::cortex_m
