// The watchdog of the board: once started it ends in the boot stage whoever does not feed it.
//
// Its first expiry is the non-maskable interrupt, which every program of ours takes as its death,
// and leaves word of it; the second, for one that has no vectors any more, is a reset by itself.
#pragma once

#include <cstdint>

namespace stator::cortex_m {

inline constexpr std::uint32_t watchdog_s = 20;

void start_watchdog();
void feed_watchdog();
[[noreturn]] void restart();  // the processor's reset

}  // namespace stator::cortex_m
