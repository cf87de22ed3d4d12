// Sums of (x - zero) * weight for some units at once, which share the reading of x.
//
// Sums wrap: a hostile bias may be anything. With the DSP instructions of a Cortex-M4, four inputs
// go through two SMLAD a unit; the sums are the same, for |x - zero| <= 255 fits 16 bits.
#pragma once

#include "shared/tinyml/dense.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <utility>

namespace stator::tinyml {

template <std::uint32_t units>
using Sums = std::array<std::uint32_t, units>;

template <std::uint32_t units>
using Rows = std::array<const std::int8_t*, units>;

template <std::uint32_t... u>
using Each = std::integer_sequence<std::uint32_t, u...>;

#if defined(__ARM_FEATURE_SIMD32) && !defined(__aarch64__)

// Bytes 0 and 2, or 1 and 3, as two int16.
[[gnu::always_inline]] inline std::uint32_t even_bytes(std::uint32_t four) {
    std::uint32_t pair;
    asm("sxtb16 %0, %1" : "=r"(pair) : "r"(four));
    return pair;
}

[[gnu::always_inline]] inline std::uint32_t odd_bytes(std::uint32_t four) {
    std::uint32_t pair;
    asm("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(four));
    return pair;
}

[[gnu::always_inline]] inline std::uint32_t difference(std::uint32_t pair, std::uint32_t from) {
    std::uint32_t result;
    asm("ssub16 %0, %1, %2" : "=r"(result) : "r"(pair), "r"(from));
    return result;
}

[[gnu::always_inline]] inline void add_products(
    std::uint32_t& sum, std::uint32_t a, std::uint32_t b
) {
    asm("smlad %0, %1, %2, %0" : "+r"(sum) : "r"(a), "r"(b));
}

[[gnu::always_inline]] inline std::uint32_t four_at(const std::int8_t*& at) {
    std::uint32_t four;
    std::memcpy(&four, at, 4);
    at += 4;
    return four;
}

[[gnu::always_inline]] inline void add_four(
    std::uint32_t& sum, const std::int8_t*& w, std::uint32_t even, std::uint32_t odd
) {
    const std::uint32_t weights = four_at(w);
    add_products(sum, even, even_bytes(weights));
    add_products(sum, odd, odd_bytes(weights));
}

// Leaves x and the rows at what is left of them, fewer than four inputs. (Written out by the
// sequence `u`, for arrays in a loop stay in memory.)
template <std::uint32_t units, std::uint32_t... u>
[[gnu::always_inline]] inline std::uint32_t add_fours(
    const std::int8_t*& x,
    Rows<units>& w,
    std::uint32_t depth,
    std::int32_t zero,
    Sums<units>& sums,
    Each<u...> /*sequence*/
) {
    const std::uint32_t zeros = (static_cast<std::uint32_t>(zero) & 0xFFFFU) * 0x10001U;
    const std::int8_t* const end = x + (depth & ~3U);
    while (x != end) {
        const std::uint32_t four = four_at(x);
        const std::uint32_t even = difference(even_bytes(four), zeros);
        const std::uint32_t odd = difference(odd_bytes(four), zeros);
        (add_four(std::get<u>(sums), std::get<u>(w), even, odd), ...);
    }
    return depth & 3U;
}

#else

template <std::uint32_t units, std::uint32_t... u>
[[gnu::always_inline]] inline std::uint32_t add_fours(
    const std::int8_t*&,
    Rows<units>&,
    std::uint32_t depth,
    std::int32_t,
    Sums<units>&,
    Each<u...> /*sequence*/
) {
    return depth;
}

#endif

template <std::uint32_t... u>
[[gnu::always_inline]] inline Sums<sizeof...(u)> dots(
    const Dense& d, std::uint32_t unit, Each<u...> sequence
) {
    constexpr std::uint32_t units = sizeof...(u);
    const std::int8_t* x = d.x;
    const std::int32_t zero = d.x_zero;
    Rows<units> w{d.weights + std::size_t{unit + u} * d.depth...};
    Sums<units> sums{};
    const std::uint32_t left = add_fours<units>(x, w, d.depth, zero, sums, sequence);
    for (const std::int8_t* const end = x + left; x != end;) {
        const std::int32_t value = *x++ - zero;
        ((std::get<u>(sums) += static_cast<std::uint32_t>(value * *std::get<u>(w)++)), ...);
    }
    return sums;
}

}  // namespace stator::tinyml
