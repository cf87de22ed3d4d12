// Sums of (x - zero) * weight for four units at once, which share the reading of x, and for one.
//
// Sums wrap: a hostile bias may be anything. With the DSP instructions of a Cortex-M4, four inputs
// go through two SMLAD a unit; the sums are the same, for |x - zero| <= 255 fits 16 bits. Where
// Thumb-2 is there, its steps are written out, in order: the compiler's own choice
// reads ahead, and then keeps sums in memory.
#pragma once

#include "shared/tinyml/dense.h"

#include <cstdint>
#include <cstring>

namespace stator::tinyml {

#define STATOR_DOT [[gnu::always_inline]] inline

#if defined(__thumb2__)

STATOR_DOT std::int32_t next_of(const std::int8_t*& at) {
    std::int32_t value;
    asm volatile("ldrsb %0, [%1], #1" : "=r"(value), "+r"(at) : "m"(*at));
    return value;
}

STATOR_DOT void add_product(std::uint32_t& sum, std::int32_t x, const std::int8_t*& w) {
    asm volatile("mla %0, %1, %2, %0" : "+r"(sum) : "r"(x), "r"(next_of(w)));
}

#else

STATOR_DOT std::int32_t next_of(const std::int8_t*& at) {
    return *at++;
}

STATOR_DOT void add_product(std::uint32_t& sum, std::int32_t x, const std::int8_t*& w) {
    sum += static_cast<std::uint32_t>(x * next_of(w));
}

#endif

#if defined(__ARM_FEATURE_SIMD32) && defined(__thumb2__)
#define STATOR_SMLAD 1

// Four bytes as int16: 0 and 2, and 1 and 3.
struct Pairs {
    std::uint32_t even;
    std::uint32_t odd;
};

STATOR_DOT Pairs pairs_of(std::uint32_t four) {
    Pairs pairs;
    asm volatile("sxtb16 %0, %1" : "=r"(pairs.even) : "r"(four));
    asm volatile("sxtb16 %0, %1, ror #8" : "=r"(pairs.odd) : "r"(four));
    return pairs;
}

STATOR_DOT std::uint32_t difference(std::uint32_t pair, std::uint32_t from) {
    std::uint32_t result;
    asm volatile("ssub16 %0, %1, %2" : "=r"(result) : "r"(pair), "r"(from));
    return result;
}

STATOR_DOT void add_products(std::uint32_t& sum, const Pairs& x, const Pairs& w) {
    asm volatile("smlad %0, %1, %2, %0" : "+r"(sum) : "r"(x.even), "r"(w.even));
    asm volatile("smlad %0, %1, %2, %0" : "+r"(sum) : "r"(x.odd), "r"(w.odd));
}

using FourBytes = std::int8_t[4];

STATOR_DOT std::uint32_t next_four(const std::int8_t*& at) {
    std::uint32_t four;
    asm volatile("ldr %0, [%1], #4"
                 : "=r"(four), "+r"(at)
                 : "m"(*reinterpret_cast<const FourBytes*>(at)));
    return four;
}

STATOR_DOT std::uint32_t four_behind(const std::int8_t* at, std::uint32_t distance) {
    std::uint32_t four;
    asm volatile("ldr %0, [%1, %2]"
                 : "=r"(four)
                 : "r"(at), "r"(distance), "m"(*reinterpret_cast<const FourBytes*>(at + distance)));
    return four;
}

#else
#define STATOR_SMLAD 0
#endif

// Not inlined, its sums in variables of their own: it takes all of a Cortex-M's registers.
[[gnu::noinline]] inline void four_dots(
    const std::int8_t* x,
    const std::int8_t* weights,
    std::uint32_t depth,
    std::int32_t zero,
    std::uint32_t* sums
) {
    const std::int8_t* wa = weights;
    const std::int8_t* wc = weights + std::size_t{2} * depth;
    std::uint32_t a = 0;
    std::uint32_t b = 0;
    std::uint32_t c = 0;
    std::uint32_t d = 0;
    const std::int8_t* const end_of_fours = x + (depth & ~3U);
    const std::int8_t* const end = x + depth;
#if STATOR_SMLAD
    const std::uint32_t zeros = (static_cast<std::uint32_t>(zero) & 0xFFFFU) * 0x10001U;
    while (x != end_of_fours) {
        Pairs four = pairs_of(next_four(x));
        four.even = difference(four.even, zeros);
        four.odd = difference(four.odd, zeros);
        add_products(b, four, pairs_of(four_behind(wa, depth)));
        add_products(a, four, pairs_of(next_four(wa)));
        add_products(d, four, pairs_of(four_behind(wc, depth)));
        add_products(c, four, pairs_of(next_four(wc)));
    }
#endif
    const std::int8_t* wb = wa + depth;
    const std::int8_t* wd = wc + depth;
    const auto one = [&] [[gnu::always_inline]] {
        const std::int32_t value = next_of(x) - zero;
        add_product(a, value, wa);
        add_product(b, value, wb);
        add_product(c, value, wc);
        add_product(d, value, wd);
    };
#if !STATOR_SMLAD
    while (x != end_of_fours) {
        one();
        one();
        one();
        one();
    }
#endif
    while (x != end)
        one();
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
}

[[nodiscard]] inline std::uint32_t one_dot(
    const std::int8_t* x, const std::int8_t* weights, std::uint32_t depth, std::int32_t zero
) {
    std::uint32_t sum = 0;
    for (const std::int8_t* const end = x + depth; x != end;)
        add_product(sum, next_of(x) - zero, weights);
    return sum;
}

}  // namespace stator::tinyml
