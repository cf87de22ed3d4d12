// One row of FULLY_CONNECTED in AVX-512 with VNNI: sixteen units share four inputs, up to four
// sixteens at once.
//
// Included by vnni.cpp with the machine's intrinsics, and by vnni_emulated_test.cpp with emulated
// ones.
#pragma once

#include "shared/tinyml/row.h"

#include <algorithm>
#include <cstring>

#ifndef STATOR_AVX512
#error "define STATOR_AVX512 (the functions' target attribute) and include the intrinsics first"
#endif

namespace stator::tinyml::avx512_row {

inline constexpr std::uint32_t lanes = 16;
// The instruction multiplies unsigned by signed: inputs are given 128 more, sums that much less.
inline constexpr std::uint32_t offset = 128;

// What lies before a group's words, each a vector: sixteen numbers of 32 bits, or (halves and
// totals) eight of 64 for the even lanes and eight for the odd ones.
inline constexpr std::size_t sums = 0;
inline constexpr std::size_t significands = 1;
inline constexpr std::size_t left = 2;  // of double_
inline constexpr std::size_t right = 3;
inline constexpr std::size_t mask = 4;
inline constexpr std::size_t half_even = 2;  // of single
inline constexpr std::size_t half_odd = 3;
inline constexpr std::size_t total_even = 4;
inline constexpr std::size_t total_odd = 5;
inline constexpr std::size_t constants = 6;

inline constexpr std::size_t vector_bytes = 64;
inline constexpr std::size_t constants_bytes = vector_bytes * constants;

inline std::uint32_t words_of(std::uint32_t depth) {
    return (depth + 3) / 4;
}

inline std::size_t group_bytes(std::uint32_t depth) {
    return constants_bytes + vector_bytes * words_of(depth);
}

inline std::size_t packed_bytes(std::uint32_t depth, std::uint32_t units) {
    return group_bytes(depth) * ((units + lanes - 1) / lanes);
}

inline std::size_t wide_bytes(std::uint32_t depth) {
    return (depth + 15) & ~15U;
}

template <typename Number>
void put(std::byte* group, std::size_t constant, std::size_t at, Number number) {
    std::memcpy(group + vector_bytes * constant + sizeof number * at, &number, sizeof number);
}

// double_: a shift to the left, the high product, a rounding shift to the right. single: one
// rounding shift of the product.
inline void pack_multiplier(
    const Multiplier& by, Rounding rounding, std::uint32_t lane, std::byte* to
) {
    put(to, significands, lane, by.significand);
    if (rounding == Rounding::double_) {
        const std::int32_t down = std::max(-by.shift, 0);
        put(to, left, lane, std::max(by.shift, 0));
        put(to, right, lane, down);
        put(to, mask, lane, static_cast<std::int32_t>((std::int64_t{1} << down) - 1));
        return;
    }
    const std::int64_t total = 31 - std::int64_t{by.shift};
    const bool odd = lane % 2 != 0;
    put(to, odd ? half_odd : half_even, lane / 2, std::int64_t{1} << (total - 1));
    put(to, odd ? total_odd : total_even, lane / 2, total);
}

inline void pack(const Dense& d, Rounding rounding, std::byte* packed) {
    std::memset(packed, 0, packed_bytes(d.depth, d.units));
    for (std::uint32_t unit = 0; unit < d.units; ++unit) {
        std::byte* group = packed + group_bytes(d.depth) * (unit / lanes);
        const std::uint32_t lane = unit % lanes;
        const std::int8_t* row = d.weights + std::size_t{unit} * d.depth;
        std::uint32_t total = 0;
        for (std::uint32_t i = 0; i < d.depth; ++i) {
            total += static_cast<std::uint32_t>(std::int32_t{row[i]});
            std::byte* word = group + constants_bytes + vector_bytes * (i / 4) + 4 * lane;
            std::memcpy(word + i % 4, &row[i], 1);
        }
        std::uint32_t sum = 0;
        if (d.bias != nullptr) sum = load<std::uint32_t>(d.bias + std::size_t{4} * unit);
        sum -= total * (static_cast<std::uint32_t>(d.x_zero) + offset);
        put(group, sums, lane, sum);
        pack_multiplier(d.scale.of(unit), rounding, lane, group);
    }
}

STATOR_AVX512 __m512i loaded(const std::byte* at) {
    __m512i bytes;
    std::memcpy(&bytes, at, vector_bytes);
    return bytes;
}

STATOR_AVX512 __m512i constant(const std::byte* group, std::size_t which) {
    return loaded(group + vector_bytes * which);
}

constexpr __mmask16 odd_lanes = 0xAAAA;

STATOR_AVX512 __m512i scaled_twice(__m512i x, const std::byte* group) {
    x = _mm512_sllv_epi32(x, constant(group, left));
    const __m512i by = constant(group, significands);
    const __m512i nudge = _mm512_set1_epi64(std::int64_t{1} << 30);
    const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(x, by), nudge);
    const __m512i odd = _mm512_add_epi64(
        _mm512_mul_epi32(_mm512_srli_epi64(x, 32), _mm512_srli_epi64(by, 32)), nudge
    );
    const __m512i high =
        _mm512_mask_mov_epi32(_mm512_srli_epi64(even, 31), odd_lanes, _mm512_slli_epi64(odd, 1));
    const __m512i low_bits = constant(group, mask);
    const __m512i threshold =
        _mm512_add_epi32(_mm512_srli_epi32(low_bits, 1), _mm512_srli_epi32(high, 31));
    const __mmask16 up = _mm512_cmpgt_epi32_mask(_mm512_and_si512(high, low_bits), threshold);
    const __m512i down = _mm512_srav_epi32(high, constant(group, right));
    return _mm512_mask_add_epi32(down, up, down, _mm512_set1_epi32(1));
}

STATOR_AVX512 __m512i scaled_once(__m512i x, const std::byte* group) {
    const __m512i by = constant(group, significands);
    const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(x, by), constant(group, half_even));
    const __m512i odd = _mm512_add_epi64(
        _mm512_mul_epi32(_mm512_srli_epi64(x, 32), _mm512_srli_epi64(by, 32)),
        constant(group, half_odd)
    );
    const __m512i low = _mm512_srav_epi64(even, constant(group, total_even));
    const __m512i high = _mm512_slli_epi64(_mm512_srav_epi64(odd, constant(group, total_odd)), 32);
    return _mm512_mask_mov_epi32(low, odd_lanes, high);
}

inline constexpr char sign = static_cast<char>(offset);  // what makes int8 of it unsigned, 128 more

// The steps of sixteen units, of which the first `units` are stored; `wide` takes all, or is none.
STATOR_AVX512 void store(
    const Dense& d, __m512i steps, std::int8_t* y, std::uint32_t units, std::byte* wide
) {
    steps = _mm512_add_epi32(steps, _mm512_set1_epi32(d.y_zero));
    steps = _mm512_min_epi32(
        _mm512_max_epi32(steps, _mm512_set1_epi32(d.low)), _mm512_set1_epi32(d.high)
    );
    const __m128i bytes = _mm512_cvtepi32_epi8(steps);
    if (wide != nullptr) {
        const __m128i more = _mm_xor_si128(bytes, _mm_set1_epi8(sign));
        std::memcpy(wide, &more, lanes);
    }
    if (units >= lanes) {
        std::memcpy(y, &bytes, lanes);
        return;
    }
    auto low = static_cast<std::uint64_t>(_mm_cvtsi128_si64(bytes));
    if ((units & 8) != 0) {
        std::memcpy(y, &low, 8);
        low = static_cast<std::uint64_t>(_mm_extract_epi64(bytes, 1));
        y += 8;
    }
    store_few(low, units % 8, y);
}

// In words where less than a vector is left: a vector would wait for what has just been stored.
STATOR_AVX512 void widen(const std::int8_t* x, std::uint32_t depth, std::byte* wide) {
    std::uint32_t i = 0;
    for (; i + 16 <= depth; i += 16) {
        __m128i bytes;
        std::memcpy(&bytes, x + i, 16);
        bytes = _mm_xor_si128(bytes, _mm_set1_epi8(sign));
        std::memcpy(wide + i, &bytes, 16);
    }
    for (; i < depth; i += 4) {
        std::uint32_t word = 0;
        std::memcpy(&word, x + i, 4);
        word ^= 0x8080'8080U;
        std::memcpy(wide + i, &word, 4);
    }
}

template <Rounding rounding, std::uint32_t groups>
STATOR_AVX512 void block(
    const Dense& d, const std::byte* group, const Wide& wide, std::uint32_t unit
) {
    const std::size_t stride = group_bytes(d.depth);
    __m512i totals[groups];
    __m512i others[groups];  // a sum waits for the one before it: so two sums take turns
#pragma GCC unroll 4
    for (std::uint32_t g = 0; g < groups; ++g) {
        totals[g] = constant(group + g * stride, sums);
        others[g] = _mm512_setzero_si512();
    }
    const std::uint32_t words = words_of(d.depth);
    const std::byte* at = group + constants_bytes;
    std::uint32_t i = 0;
    for (; i + 1 < words; i += 2, at += 2 * vector_bytes) {
        const __m512i four = _mm512_set1_epi32(load<std::int32_t>(wide.input + std::size_t{4} * i));
        const __m512i next =
            _mm512_set1_epi32(load<std::int32_t>(wide.input + std::size_t{4} * i + 4));
#pragma GCC unroll 4
        for (std::uint32_t g = 0; g < groups; ++g) {
            const std::byte* weights = at + g * stride;
            totals[g] = _mm512_dpbusd_epi32(totals[g], four, loaded(weights));
            others[g] = _mm512_dpbusd_epi32(others[g], next, loaded(weights + vector_bytes));
        }
    }
    if (i < words) {
        const __m512i four = _mm512_set1_epi32(load<std::int32_t>(wide.input + std::size_t{4} * i));
#pragma GCC unroll 4
        for (std::uint32_t g = 0; g < groups; ++g)
            totals[g] = _mm512_dpbusd_epi32(totals[g], four, loaded(at + g * stride));
    }
#pragma GCC unroll 4
    for (std::uint32_t g = 0; g < groups; ++g, group += stride, unit += lanes) {
        const __m512i total = _mm512_add_epi32(totals[g], others[g]);
        const __m512i steps =
            rounding == Rounding::double_ ? scaled_twice(total, group) : scaled_once(total, group);
        std::byte* const next = wide.output == nullptr ? nullptr : wide.output + unit;
        store(d, steps, d.y + unit, d.units - unit, next);
    }
}

template <Rounding rounding>
STATOR_AVX512 void run_all(const Dense& d, const std::byte* packed, const Wide& wide) {
    if (!wide.is_there) widen(d.x, d.depth, wide.input);
    const std::size_t stride = group_bytes(d.depth);
    std::uint32_t unit = 0;
    for (; unit + 3 * lanes < d.units; unit += 4 * lanes, packed += 4 * stride)
        block<rounding, 4>(d, packed, wide, unit);
    for (; unit + lanes < d.units; unit += 2 * lanes, packed += 2 * stride)
        block<rounding, 2>(d, packed, wide, unit);
    if (unit < d.units) block<rounding, 1>(d, packed, wide, unit);
}

inline void run(const Dense& d, Rounding rounding, const std::byte* packed, Wide wide) {
    rounding == Rounding::double_ ? run_all<Rounding::double_>(d, packed, wide)
                                  : run_all<Rounding::single>(d, packed, wide);
}

}  // namespace stator::tinyml::avx512_row
