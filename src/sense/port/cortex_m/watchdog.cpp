#include "sense/port/cortex_m/watchdog.h"

#include "sense/port/cortex_m/board.h"

namespace stator::cortex_m {
namespace {

// CMSDK APB watchdog, ARM DDI 0479.
constexpr std::uintptr_t watchdog = 0x4000'8000;
constexpr std::uintptr_t load_at = 0x0;
constexpr std::uintptr_t control_at = 0x8;
constexpr std::uintptr_t clear_at = 0xC;
constexpr std::uintptr_t lock_at = 0xC00;

volatile std::uint32_t& word(std::uintptr_t address) {
    return *reinterpret_cast<volatile std::uint32_t*>(address);
}

}  // namespace

void start_watchdog() {
    constexpr std::uint32_t key = 0x1ACC'E551;
    constexpr std::uint32_t interrupt_and_reset = 3;
    word(watchdog + lock_at) = key;
    word(watchdog + load_at) = watchdog_s * timer_hz;
    word(watchdog + control_at) = interrupt_and_reset;
    word(watchdog + lock_at) = 0;
}

void feed_watchdog() {
    constexpr std::uint32_t key = 0x1ACC'E551;
    word(watchdog + lock_at) = key;
    word(watchdog + clear_at) = 1;  // and it counts from the beginning
    word(watchdog + lock_at) = 0;
}

void restart() {
    constexpr std::uint32_t key_and_request = 0x05FA'0004;
    asm volatile("dsb");
    word(0xE000'ED0C) = key_and_request;
    for (;;) {
    }
}

}  // namespace stator::cortex_m
