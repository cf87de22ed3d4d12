// RV32IMC, QEMU's virt machine: its UART, and its test device for the end.
#include "integers.h"

#include <cstdint>

extern "C" [[noreturn, gnu::used]] void portable_start();

asm(".section .start, \"ax\"\n"
    ".global _start\n"
    "_start:\n"
    "    la sp, portable_stack_top\n"
    "    j portable_start\n"
    ".text\n");

namespace {

[[noreturn]] void end(std::uint32_t code) {
    // The machine's test device: 0x5555 ends well, 0x3333 with the code above it does not.
    *reinterpret_cast<volatile std::uint32_t*>(0x10'0000) =
        code == 0 ? 0x5555U : code << 16U | 0x3333U;
    for (;;) {
    }
}

}  // namespace

void stator::portable::say(const char* text) {
    for (; *text != '\0'; ++text)
        *reinterpret_cast<volatile std::uint8_t*>(0x1000'0000) = static_cast<std::uint8_t>(*text);
}

extern "C" void portable_start() {
    stator::portable::integers();
    end(0);
}

extern "C" [[noreturn]] void __assert_func(const char*, int, const char*, const char* what) {
    stator::portable::say(what);
    end(1);
}
