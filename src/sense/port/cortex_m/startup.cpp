// The vectors, the reset, and the end of everything that must not be: a fault, a failed assertion.
#include "sense/port/cortex_m/board.h"

#include <array>
#include <cstdint>
#include <cstring>

int main();

extern "C" {
extern std::uint32_t stator_stack_top;
extern std::uint32_t stator_data_image;
extern std::uint32_t stator_data_begin;
extern std::uint32_t stator_data_end;
extern std::uint32_t stator_bss_begin;
extern std::uint32_t stator_bss_end;
extern void (*stator_init_begin[])();
extern void (*stator_init_end[])();
[[noreturn]] void stator_reset();
[[noreturn]] void stator_fault();
[[noreturn]] void stator_fault_at(const std::uint32_t* frame);
[[noreturn]] void stator_hung();
[[noreturn]] void stator_hung_at(const std::uint32_t* frame);
[[noreturn]] void abort();
[[noreturn]] void stator_dead();
[[noreturn]] void stator_assertion_failed(const char* file, int line);
[[noreturn]] void __assert_func(const char* file, int line, const char*, const char*);
}

namespace {

using stator::cortex_m::print;

using Vector = void (*)();

constexpr std::size_t vector_count = 16 + 32;  // the processor's own and the board's

constexpr std::array<Vector, vector_count - 1> handlers() {
    std::array<Vector, vector_count - 1> made{};
    made.fill(stator_fault);  // no interrupt is used: every one is a fault
    made[0] = stator_reset;
    made[1] = stator_hung;  // the watchdog's first expiry
    return made;
}

struct Vectors {
    std::uint32_t* stack;
    std::array<Vector, vector_count - 1> handlers;
};

[[gnu::section(".vectors"), gnu::used]] const Vectors vectors{&stator_stack_top, handlers()};

using stator::cortex_m::Cause;

[[noreturn]] void die(std::string_view why, Cause cause = Cause::fault) {
    stator::cortex_m::leave_note(cause);
    print("\n!! ");
    print(why);
    print("\n");
    stator_dead();
}

}  // namespace

// What follows a death: a program that a boot stage watches over has its own.
extern "C" [[gnu::weak]] void stator_dead() {
    stator::cortex_m::end_emulation(false);
}

extern "C" void stator_fault_at(const std::uint32_t* frame) {
    print("\n!! fault at ");
    stator::cortex_m::print_hex(frame[6]);
    print(" called from ");
    stator::cortex_m::print_hex(frame[5]);
    die("the image stops");
}

extern "C" [[gnu::naked]] void stator_fault() {
    asm volatile("mov r0, sp\n b stator_fault_at");
}

extern "C" void stator_hung_at(const std::uint32_t* frame) {
    print("\n!! the watchdog was not fed; at ");
    stator::cortex_m::print_hex(frame[6]);
    die("it starts again", Cause::watchdog);
}

extern "C" [[gnu::naked]] void stator_hung() {
    asm volatile("mov r0, sp\n b stator_hung_at");
}

extern "C" void stator_assertion_failed(const char* file, int line) {
    print("\n!! assertion in ");
    print(file);
    print(":");
    stator::cortex_m::print_number(static_cast<std::uint64_t>(line));
    die(" does not hold");
}

// Of the C library's own parts.
extern "C" void __assert_func(const char* file, int line, const char*, const char*) {
    stator_assertion_failed(file, line);
}

extern "C" void abort() {  // newlib's would bring a heap with it
    die("abort");
}

// For mbedTLS's PEM: the C library's searches in linear time and takes 1.3 KB.
extern "C" char* strstr(const char* text, const char* wanted) {
    const std::size_t size = std::strlen(wanted);
    for (; *text != 0 || size == 0; ++text)
        if (std::strncmp(text, wanted, size) == 0) return const_cast<char*>(text);
    return nullptr;
}

extern "C" void stator_reset() {
    auto& coprocessors = *reinterpret_cast<volatile std::uint32_t*>(0xE000'ED88U);
    coprocessors = coprocessors | 0xFU << 20U;  // the FPU
    asm volatile("dsb\n isb");
    std::uint32_t* stack = nullptr;
    asm volatile("mov %0, sp" : "=r"(stack));
    for (std::uint32_t* place = &stator_bss_end; place < stack - 16; ++place)
        *place = 0xA5A5'A5A5U;
    const auto bytes = [](const std::uint32_t& begin, const std::uint32_t& end) {
        return static_cast<std::size_t>(&end - &begin) * sizeof begin;
    };
    std::memcpy(&stator_data_begin, &stator_data_image, bytes(stator_data_begin, stator_data_end));
    std::memset(&stator_bss_begin, 0, bytes(stator_bss_begin, stator_bss_end));
    for (auto* start = stator_init_begin; start != stator_init_end; ++start)
        (*start)();
    stator::cortex_m::end_emulation(main() == 0);
}
