// Cortex-M4 of the mps2-an386 without its FPU: vectors, semihosting.
#include "integers.h"

#include <cstdint>

extern "C" std::uint32_t portable_stack_top;
extern "C" [[noreturn]] void portable_start();

namespace {

std::int32_t semihost(std::uint32_t operation, const void* argument) {
    register std::uint32_t r0 asm("r0") = operation;
    register const void* r1 asm("r1") = argument;
    asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return static_cast<std::int32_t>(r0);
}

[[noreturn]] void end(std::uint32_t code) {
    const std::uint32_t arguments[2] = {0x20026, code};  // ADP_Stopped_ApplicationExit
    semihost(0x20, arguments);
    for (;;) {
    }
}

struct Vectors {
    std::uint32_t* stack;
    void (*reset)();
};

[[gnu::section(".vectors"), gnu::used]] const Vectors vectors{&portable_stack_top, portable_start};

}  // namespace

void stator::portable::say(const char* text) {
    semihost(0x04, text);
}

extern "C" void portable_start(
) {  // .bss is zero: QEMU's RAM is fresh, and .data is loaded in place
    stator::portable::integers();
    end(0);
}

extern "C" [[noreturn]] void __assert_func(const char*, int, const char*, const char* what) {
    stator::portable::say(what);
    end(1);
}
