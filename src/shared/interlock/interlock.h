// The Interlock is the table that every action must pass before an output moves.
//
//   observe mode ............ never starts             stop: always allowed, but not before
//   locked out by a person .. never starts                   `min_on_ms` unless forced
//   excluded ................ never starts             runs longer than `dead_man_ms` without
//   request older than ...... never starts                   being asked for again: stops
//     `expiry_ms`                                      lock-out, exclusion or observe mode
//   off for < `min_off_ms` .. not yet                        while running: stops
//   `starts_per_hour` used .. not yet
//
// A pure state machine: time comes in, no clock is asked. Times are monotonic milliseconds. After a
// power-up the output counts as just switched off, and the starts that are known of the hour before
// as made now: a boot loop cannot hammer a motor.
#pragma once

#include "shared/base/fixed.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace stator::interlock {

inline constexpr std::size_t starts_per_hour_max = 32;

// What makes sense of each rule: who takes rules from outside refuses others.
inline constexpr std::uint32_t min_on_ms_max = 600'000;
inline constexpr std::uint32_t min_off_ms_max = 3'600'000;
inline constexpr std::uint32_t dead_man_ms_min = 1'000;  // or 0
inline constexpr std::uint32_t dead_man_ms_max = 3'600'000;
inline constexpr std::uint32_t expiry_ms_min = 100;
inline constexpr std::uint32_t expiry_ms_max = 600'000;

struct Rules {
    std::uint32_t min_on_ms = 2'000;
    std::uint32_t min_off_ms = 2'000;
    std::uint32_t starts_per_hour = 12;  // 1 to starts_per_hour_max
    std::uint32_t dead_man_ms = 30'000;  // 0: none
    std::uint32_t expiry_ms = 10'000;    // of a request

    bool operator==(const Rules&) const = default;
};

enum class Why : std::uint8_t {
    allowed,
    observe,          // the asset's mode
    lock_out,         // an operator said so
    excluded,         // another output that must not run at the same time does
    expired,          // the request waited too long
    minimum_on,       // stop later
    minimum_off,      // start later
    starts_per_hour,  // start later
    dead_man,         // nobody asked again in time
};

[[nodiscard]] std::string_view name_of(Why why);

struct Conditions {  // of the moment
    bool act = false;
    bool locked_out = false;
    bool excluded = false;
};

class Interlock {
  public:
    Interlock(Rules rules, std::int64_t now_ms);

    // So many starts were made in the hour before the restart.
    void restore_starts(std::size_t count, std::int64_t now_ms);
    [[nodiscard]] std::size_t starts_in_the_last_hour(std::int64_t now_ms) const;

    [[nodiscard]] bool on() const { return on_; }

    // Starts, or renews what runs. `asked_ms`: when the request was made.
    [[nodiscard]] Why start(
        const Conditions& conditions, std::int64_t asked_ms, std::int64_t now_ms
    );
    // `force`: a person's stop does not wait for the minimum on time. Why::minimum_on: not yet, the
    // stop is remembered and step() carries it out.
    [[nodiscard]] Why stop(bool force, std::int64_t now_ms);
    // True when the output went off by itself: `why` says for what reason.
    [[nodiscard]] bool step(const Conditions& conditions, std::int64_t now_ms, Why& why);

  private:
    void switch_off(std::int64_t now_ms);

    Rules rules_;
    bool on_ = false;
    bool stop_wanted_ = false;
    std::int64_t changed_ms_;
    std::int64_t renewed_ms_ = 0;
    std::array<std::int64_t, starts_per_hour_max> starts_ms_{};  // a ring
    std::size_t start_count_ = 0;                                // ever
};

}  // namespace stator::interlock
