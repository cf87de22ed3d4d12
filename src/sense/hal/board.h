// The small parts of a board: time, entropy, watchdog, log.
#pragma once

#include <cstdint>
#include <string_view>

namespace stator::hal {

class Time {
  public:
    [[nodiscard]] virtual std::int64_t monotonic_us() = 0;  // never goes back
    [[nodiscard]] virtual std::int64_t unix_ms() = 0;       // may jump
    [[nodiscard]] virtual bool synced() = 0;                // unix_ms() is worth something

  protected:
    ~Time() = default;
};

class Entropy {
  public:
    [[nodiscard]] virtual std::uint32_t next() = 0;

  protected:
    ~Entropy() = default;
};

class Watchdog {
  public:
    virtual void feed() = 0;  // only ever called at the end of a whole step

  protected:
    ~Watchdog() = default;
};

// Where nothing can be reset: counts the whole steps.
class CountingWatchdog final : public Watchdog {
  public:
    void feed() override { ++fed; }

    std::uint64_t fed = 0;
};

class Log {
  public:
    virtual void info(std::string_view text) = 0;
    virtual void warn(std::string_view text) = 0;

  protected:
    ~Log() = default;
};

}  // namespace stator::hal
