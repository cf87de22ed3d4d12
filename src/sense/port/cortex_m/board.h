// The Board is the mps2-an386's own parts: UART, free-running timer, stack mark, the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace stator::cortex_m {

inline constexpr std::uint32_t timer_hz = 25'000'000;
inline constexpr std::uintptr_t psram_begin = 0x2100'0000;  // QEMU can back it by a file

void board_start();
void print(std::string_view text);
void print_hex(std::uint64_t value);  // 16 digits
void print_number(std::uint64_t value);
[[nodiscard]] std::uint32_t timer_ticks();  // wraps after 171 s

// Sleeps until the next millisecond begins, or not at all if it has since the last rest: what a
// super-loop does that finds nothing to do.
void rest();

// The deepest the stack has been since the reset: the rest still has its paint.
[[nodiscard]] std::size_t stack_bytes_used();

// Why the processor started, told from one start to the next by a note in RAM that no start-up code
// touches: a power cut loses it. Taking it leaves the note for an end that nobody could write one
// before, the watchdog's own reset.
enum class Cause : std::uint32_t { power_on, restart, fault, watchdog };
void leave_note(Cause cause);
[[nodiscard]] std::string_view take_note();  // as the `started` event has it

// Arm's numbers of the operations.
inline constexpr std::uint32_t sys_open = 1, sys_close = 2, sys_write = 5, sys_read = 6;
std::int32_t semihost(std::uint32_t operation, const std::uint32_t* arguments);
[[noreturn]] void end_emulation(bool fine);  // semihosting

}  // namespace stator::cortex_m
