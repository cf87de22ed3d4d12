// A Clock is the date of a device that has none of its own: counted on from a time server's answer.
//
// SNTP is not authenticated, so an answer is believed only when it repeats the question's cookie,
// and never below a lower bound (of the provisioning, or of what was known before): who can forge
// it must not revive a certificate that has expired.
#pragma once

#include "sense/hal/board.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace stator::session {

class Clock : public hal::Time {  // a port adds monotonic_us()
  public:
    explicit Clock(std::int64_t unix_s_min) : unix_s_min_{unix_s_min} {}

    [[nodiscard]] std::int64_t unix_ms() override;

    [[nodiscard]] bool synced() override { return synced_; }

    [[nodiscard]] bool set(std::int64_t unix_ms);  // false: refused

  protected:
    ~Clock() = default;

  private:
    std::int64_t unix_s_min_;
    std::int64_t offset_ms_ = 0;
    bool synced_ = false;
};

// What a port sends to the time server, and what it does with an answer.
class TimeQuestion {
  public:
    using Packet = std::array<std::uint8_t, 48>;

    TimeQuestion(Clock& clock, hal::Entropy& entropy) : clock_{clock}, entropy_{entropy} {}

    [[nodiscard]] bool due() { return clock_.monotonic_us() >= next_us_; }

    [[nodiscard]] Packet ask();
    // The answer's first bytes, from the server that was asked. True: the clock was set.
    bool take(std::span<const std::uint8_t> answer);

    [[nodiscard]] unsigned refused() const { return refused_; }  // times below the bound

  private:
    Clock& clock_;
    hal::Entropy& entropy_;
    std::array<std::uint8_t, 8> cookie_{};
    bool asked_ = false;  // and not answered yet: a cookie is good for one answer
    std::int64_t next_us_ = 0;
    unsigned refused_ = 0;
};

}  // namespace stator::session
