// Xtensa lx106 (the ESP8266's core), QEMU's sim machine: simcalls.
//
// Debian's libgcc leaves out what that chip has in its ROM; the divisions stand here.
#include "integers.h"

#include <cstdint>
#include <cstring>

extern "C" [[noreturn, gnu::used]] void portable_start();

asm(".section .reset, \"ax\"\n"
    ".global _start\n"
    "_start:\n"
    "    j 1f\n"
    "    .align 4\n"
    ".Lstack: .word portable_stack_top\n"
    ".Lstart: .word portable_start\n"
    "1:  l32r a1, .Lstack\n"
    "    l32r a0, .Lstart\n"
    "    callx0 a0\n"
    ".text\n");

namespace {

std::int32_t simulator(std::int32_t call, std::int32_t a, const void* b, std::uint32_t c) {
    register std::int32_t a2 asm("a2") = call;
    register std::int32_t a3 asm("a3") = a;
    register const void* a4 asm("a4") = b;
    register std::uint32_t a5 asm("a5") = c;
    asm volatile("simcall" : "+r"(a2), "+r"(a3) : "r"(a4), "r"(a5) : "memory");
    return a2;
}

[[noreturn]] void end(std::int32_t code) {
    simulator(1, code, nullptr, 0);
    for (;;) {
    }
}

template <typename Number>
struct Quotient {
    Number whole;
    Number rest;
};

template <typename Number>
Quotient<Number> divided(Number dividend, Number divisor) {
    Quotient<Number> made{0, 0};
    for (unsigned bit = 8 * sizeof(Number); bit-- > 0;) {
        made.rest = made.rest << 1U | (dividend >> bit & 1U);
        if (made.rest < divisor) continue;
        made.rest -= divisor;
        made.whole |= Number{1} << bit;
    }
    return made;
}

std::uint32_t magnitude(std::int32_t value) {
    const auto bits = static_cast<std::uint32_t>(value);
    return value < 0 ? 0U - bits : bits;
}

}  // namespace

extern "C" {
std::uint32_t __udivsi3(std::uint32_t a, std::uint32_t b) {
    return divided(a, b).whole;
}

std::uint32_t __umodsi3(std::uint32_t a, std::uint32_t b) {
    return divided(a, b).rest;
}

std::int32_t __divsi3(std::int32_t a, std::int32_t b) {
    const std::uint32_t whole = divided(magnitude(a), magnitude(b)).whole;
    return static_cast<std::int32_t>((a < 0) != (b < 0) ? 0U - whole : whole);
}

std::uint64_t __udivdi3(std::uint64_t a, std::uint64_t b) {
    return divided(a, b).whole;
}

std::int64_t __divdi3(std::int64_t a, std::int64_t b) {
    const auto size = [](std::int64_t value) {
        const auto bits = static_cast<std::uint64_t>(value);
        return value < 0 ? 0U - bits : bits;
    };
    const std::uint64_t whole = divided(size(a), size(b)).whole;
    return static_cast<std::int64_t>((a < 0) != (b < 0) ? 0U - whole : whole);
}

std::uint64_t __muldi3(std::uint64_t a, std::uint64_t b) {
    std::uint64_t made = 0;
    for (; b != 0; b >>= 1U, a <<= 1U)
        if ((b & 1U) != 0) made += a;
    return made;
}
}

void stator::portable::say(const char* text) {
    simulator(4, 1, text, std::strlen(text));
}

extern "C" void portable_start() {
    stator::portable::integers();
    end(0);
}

extern "C" [[noreturn]] void __assert_func(const char*, int, const char*, const char* what) {
    stator::portable::say(what);
    end(1);
}
