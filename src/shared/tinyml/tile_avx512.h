// Sixteen rows of FULLY_CONNECTED in AVX-512 with VNNI: a word is four inputs of a row, made
// unsigned by adding 128, and sixteen rows are one vector.
//
// Included by vnni.cpp with the machine's intrinsics, and by vnni_emulated_test.cpp with
// emulated ones. Vector lengths and names are the same in both.
#pragma once

#include "shared/tinyml/tile.h"

#include <cstring>

#ifndef STATOR_AVX512
#error "define STATOR_AVX512 (the functions' target attribute) and include the intrinsics first"
#endif

namespace stator::tinyml::avx512 {

STATOR_AVX512 __m128i plane(const std::int8_t* x, std::uint32_t i, std::uint32_t depth) {
    __m128i bytes = _mm_setzero_si128();
    if (i < depth) std::memcpy(&bytes, x + std::size_t{i} * tile_rows, 16);
    return _mm_xor_si128(bytes, _mm_set1_epi8(-128));  // x + 128; a weight of 0 meets the padding
}

STATOR_AVX512 void widen(const std::int8_t* x, std::uint32_t depth, std::byte* wide) {
    for (std::uint32_t i = 0; i < depth; i += 4) {
        const __m128i a = plane(x, i, depth);
        const __m128i b = plane(x, i + 1, depth);
        const __m128i c = plane(x, i + 2, depth);
        const __m128i d = plane(x, i + 3, depth);
        const __m128i pairs[4] = {
            _mm_unpacklo_epi8(a, b),
            _mm_unpacklo_epi8(c, d),  // rows 0-7
            _mm_unpackhi_epi8(a, b),
            _mm_unpackhi_epi8(c, d),  // rows 8-15
        };
        for (int half = 0; half < 4; half += 2) {
            const __m128i low = _mm_unpacklo_epi16(pairs[half], pairs[half + 1]);
            const __m128i high = _mm_unpackhi_epi16(pairs[half], pairs[half + 1]);
            std::memcpy(wide, &low, 16);
            std::memcpy(wide + 16, &high, 16);
            wide += 32;
        }
    }
}

struct Scale {
    __m512i significand;
    __m512i nudge;
    __m128i left;
    __m128i right;
    __m512i mask;
    __m512i half_mask;
};

STATOR_AVX512 Scale scale_of(const Multiplier& by, bool twice) {
    const int right = by.shift > 0 ? 0 : -by.shift;
    const int total = 31 - by.shift;
    const auto mask = static_cast<std::int32_t>((std::int64_t{1} << right) - 1);
    return {
        _mm512_set1_epi32(by.significand),
        _mm512_set1_epi64(std::int64_t{1} << (twice ? 30 : total - 1)),
        _mm_cvtsi32_si128(by.shift > 0 ? by.shift : 0),
        _mm_cvtsi32_si128(twice ? right : total),
        _mm512_set1_epi32(mask),
        _mm512_set1_epi32(mask >> 1),
    };
}

constexpr unsigned odd_lanes = 0xAAAA;

STATOR_AVX512 __m512i scaled_twice(__m512i x, const Scale& s) {
    x = _mm512_sll_epi32(x, s.left);
    const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(x, s.significand), s.nudge);
    const __m512i odd =
        _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64(x, 32), s.significand), s.nudge);
    const __m512i high =
        _mm512_mask_blend_epi32(odd_lanes, _mm512_srli_epi64(even, 31), _mm512_slli_epi64(odd, 1));
    const __m512i threshold = _mm512_sub_epi32(s.half_mask, _mm512_srai_epi32(high, 31));
    const __mmask16 up = _mm512_cmpgt_epi32_mask(_mm512_and_si512(high, s.mask), threshold);
    const __m512i down = _mm512_sra_epi32(high, s.right);
    return _mm512_mask_add_epi32(down, up, down, _mm512_set1_epi32(1));
}

STATOR_AVX512 __m512i scaled_once(__m512i x, const Scale& s) {
    const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(x, s.significand), s.nudge);
    const __m512i odd =
        _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64(x, 32), s.significand), s.nudge);
    return _mm512_mask_blend_epi32(
        odd_lanes,
        _mm512_sra_epi64(even, s.right),
        _mm512_slli_epi64(_mm512_sra_epi64(odd, s.right), 32)
    );
}

template <Rounding rounding>
STATOR_AVX512 void finish(const Tile& t, std::uint32_t unit, __m512i sums) {
    constexpr bool twice = rounding == Rounding::double_;
    const Scale scale = scale_of(t.scale.of(unit), twice);
    sums = twice ? scaled_twice(sums, scale) : scaled_once(sums, scale);
    sums = _mm512_add_epi32(sums, _mm512_set1_epi32(t.y_zero));
    sums = _mm512_max_epi32(sums, _mm512_set1_epi32(t.low));
    sums = _mm512_min_epi32(sums, _mm512_set1_epi32(t.high));
    const __m128i bytes = _mm512_cvtepi32_epi8(sums);
    std::memcpy(t.y + std::size_t{unit} * tile_rows, &bytes, 16);
}

template <Rounding rounding, std::uint32_t units>
STATOR_AVX512 void block(const Tile& t, std::uint32_t unit) {
    __m512i sums[units];
    const std::byte* words[units];
#pragma GCC unroll 8
    for (std::uint32_t u = 0; u < units; ++u) {
        sums[u] = _mm512_set1_epi32(sum_of(t, unit + u));
        words[u] = words_of(t, unit + u);
    }
    for (std::uint32_t i = 0; i < t.words; ++i) {
        __m512i x;
        std::memcpy(&x, t.wide + std::size_t{64} * i, 64);
#pragma GCC unroll 8
        for (std::uint32_t u = 0; u < units; ++u) {
            const auto four = load<std::int32_t>(words[u] + std::size_t{4} * i);
            sums[u] = _mm512_dpbusd_epi32(sums[u], x, _mm512_set1_epi32(four));
        }
    }
#pragma GCC unroll 8
    for (std::uint32_t u = 0; u < units; ++u)
        finish<rounding>(t, unit + u, sums[u]);
}

template <Rounding rounding>
STATOR_AVX512 void run_all(const Tile& t) {
    std::uint32_t unit = 0;
    for (; unit + 8 <= t.units; unit += 8)
        block<rounding, 8>(t, unit);
    for (; unit + 2 <= t.units; unit += 2)
        block<rounding, 2>(t, unit);
    if (unit < t.units) block<rounding, 1>(t, unit);
}

STATOR_AVX512 void run(const Tile& t, Rounding rounding) {
    rounding == Rounding::double_ ? run_all<Rounding::double_>(t) : run_all<Rounding::single>(t);
}

}  // namespace stator::tinyml::avx512
