#include "sense/port/cortex_m/board.h"

#include <array>

extern "C" std::uint32_t stator_bss_end;
extern "C" std::uint32_t stator_stack_top;
extern "C" volatile std::uint32_t stator_note[2];  // magic, cause

namespace stator::cortex_m {
namespace {

constexpr std::uintptr_t uart0 = 0x4000'4000;
constexpr std::uintptr_t dual_timer = 0x4000'2000;
constexpr std::uintptr_t systick_control = 0xE000'E010;
constexpr std::uintptr_t systick_reload = 0xE000'E014;
constexpr std::uintptr_t systick_value = 0xE000'E018;
constexpr std::uintptr_t interrupt_state = 0xE000'ED04;
constexpr std::uint32_t note_magic = 0x45544F4E;  // "NOTE"

volatile std::uint32_t& word(std::uintptr_t address) {
    return *reinterpret_cast<volatile std::uint32_t*>(address);
}

void put(char letter) {
    constexpr std::uint32_t full = 1;
    while ((word(uart0 + 4) & full) != 0) {
    }
    word(uart0) = static_cast<std::uint8_t>(letter);
}

}  // namespace

void board_start() {
    word(uart0 + 0x10) = 16;  // baud divider
    word(uart0 + 0x08) = 1;   // transmit
    word(dual_timer) = 0xFFFF'FFFFU;
    word(dual_timer + 8) = 0x82;  // on, 32 bit, free running
    asm volatile("cpsid i");      // no handler: an interrupt that waits ends a rest all the same
    word(systick_reload) = timer_hz / 1000 - 1;
    word(systick_value) = 0;
    word(systick_control) = 7;  // the processor's clock, with its interrupt, on
}

void rest() {
    constexpr std::uint32_t systick_is_taken = 1U << 25U;
    asm volatile("dsb\n wfi" ::: "memory");
    word(interrupt_state) = systick_is_taken;
}

void print(std::string_view text) {
    for (const char letter : text)
        put(letter);
}

void print_hex(std::uint64_t value) {
    for (int shift = 60; shift >= 0; shift -= 4)
        put("0123456789abcdef"[value >> static_cast<unsigned>(shift) & 15U]);
}

void print_number(std::uint64_t value) {
    std::array<char, 20> digits{};
    std::size_t count = 0;
    do {
        digits[count++] = static_cast<char>('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (count > 0)
        put(digits[--count]);
}

void leave_note(Cause cause) {
    stator_note[0] = note_magic;
    stator_note[1] = static_cast<std::uint32_t>(cause);
}

std::string_view take_note() {
    constexpr std::array<std::string_view, 4> names = {"power-on", "restart", "fault", "watchdog"};
    const std::uint32_t cause = stator_note[0] == note_magic ? stator_note[1] : 0;
    leave_note(Cause::watchdog);
    return names[cause % names.size()];
}

std::uint32_t timer_ticks() {
    return ~word(dual_timer + 4);  // it counts down
}

std::size_t stack_bytes_used() {
    const std::uint32_t* place = &stator_bss_end;
    while (place < &stator_stack_top && *place == 0xA5A5'A5A5U)
        ++place;
    return static_cast<std::size_t>(&stator_stack_top - place) * sizeof *place;
}

std::int32_t semihost(std::uint32_t operation, const std::uint32_t* arguments) {
    register std::uint32_t r0 asm("r0") = operation;
    register const std::uint32_t* r1 asm("r1") = arguments;
    asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return static_cast<std::int32_t>(r0);
}

void end_emulation(bool fine) {
    constexpr std::uint32_t exit_extended = 0x20;
    constexpr std::uint32_t application_exit = 0x20026;
    const std::array<std::uint32_t, 2> reason = {application_exit, fine ? 0U : 1U};
    static_cast<void>(semihost(exit_extended, reason.data()));
    for (;;) {
    }
}

}  // namespace stator::cortex_m
