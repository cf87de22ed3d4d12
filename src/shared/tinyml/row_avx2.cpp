// One row of FULLY_CONNECTED in AVX2: eight units share a pair of inputs, up to four eights at
// once.
#include "shared/tinyml/row.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace stator::tinyml {

namespace {

#define STATOR_AVX2 [[gnu::target("avx2")]] inline

constexpr std::uint32_t lanes = 8;

// What lies before a group's words, each a vector: eight numbers of 32 bits, or (nudges and totals)
// four of 64 for the even lanes and four for the odd ones.
constexpr std::size_t sums = 0;
constexpr std::size_t significands = 1;
constexpr std::size_t left = 2;  // of double_
constexpr std::size_t right = 3;
constexpr std::size_t mask = 4;
constexpr std::size_t nudge_even = 2;  // of single
constexpr std::size_t nudge_odd = 3;
constexpr std::size_t total_even = 4;
constexpr std::size_t total_odd = 5;
constexpr std::size_t bias = 6;
constexpr std::size_t constants = 7;

constexpr std::size_t vector_bytes = 32;
constexpr std::size_t constants_bytes = vector_bytes * constants;

std::uint32_t words_of(std::uint32_t depth) {
    return (depth + 1) / 2;
}

std::size_t group_bytes(std::uint32_t depth) {
    return constants_bytes + vector_bytes * words_of(depth);
}

std::size_t packed_bytes(std::uint32_t depth, std::uint32_t units) {
    return group_bytes(depth) * ((units + lanes - 1) / lanes);
}

std::size_t wide_bytes(std::uint32_t depth) {
    return std::size_t{2} * ((depth + 15) & ~15U);
}

template <typename Number>
void put(std::byte* group, std::size_t constant, std::size_t at, Number number) {
    std::memcpy(group + vector_bytes * constant + sizeof number * at, &number, sizeof number);
}

// double_: a shift to the left, the high product, a rounding shift to the right. single: one shift
// of 64-bit lanes around 2^63 (see dense_avx2.cpp), whose offset `bias` takes off again.
void pack_multiplier(const Multiplier& by, Rounding rounding, std::uint32_t lane, std::byte* to) {
    put(to, significands, lane, by.significand);
    if (rounding == Rounding::double_) {
        const std::int32_t down = std::max(-by.shift, 0);
        put(to, left, lane, std::max(by.shift, 0));
        put(to, right, lane, down);
        put(to, mask, lane, static_cast<std::int32_t>((std::int64_t{1} << down) - 1));
        return;
    }
    constexpr std::uint64_t middle = std::uint64_t{1} << 63;
    const auto total = static_cast<std::uint64_t>(31 - by.shift);
    const bool odd = lane % 2 != 0;
    put(to, odd ? nudge_odd : nudge_even, lane / 2, middle + (std::uint64_t{1} << (total - 1)));
    put(to, odd ? total_odd : total_even, lane / 2, total);
    put(to, bias, lane, static_cast<std::uint32_t>(middle >> total));
}

void pack(const Dense& d, Rounding rounding, std::byte* packed) {
    std::memset(packed, 0, packed_bytes(d.depth, d.units));
    for (std::uint32_t unit = 0; unit < d.units; ++unit) {
        std::byte* group = packed + group_bytes(d.depth) * (unit / lanes);
        const std::uint32_t lane = unit % lanes;
        const std::int8_t* row = d.weights + std::size_t{unit} * d.depth;
        std::uint32_t total = 0;
        for (std::uint32_t i = 0; i < d.depth; ++i) {
            const std::int16_t weight = row[i];
            total += static_cast<std::uint32_t>(weight);
            std::byte* word = group + constants_bytes + vector_bytes * (i / 2) + 4 * lane;
            std::memcpy(word + 2 * (i % 2), &weight, 2);
        }
        std::uint32_t sum = 0;
        if (d.bias != nullptr) sum = load<std::uint32_t>(d.bias + std::size_t{4} * unit);
        put(group, sums, lane, sum - total * static_cast<std::uint32_t>(d.x_zero));
        pack_multiplier(d.scale.of(unit), rounding, lane, group);
    }
}

STATOR_AVX2 __m256i loaded(const std::byte* at) {
    __m256i bytes;
    std::memcpy(&bytes, at, vector_bytes);
    return bytes;
}

STATOR_AVX2 __m256i constant(const std::byte* group, std::size_t which) {
    return loaded(group + vector_bytes * which);
}

STATOR_AVX2 __m256i scaled_twice(__m256i x, const std::byte* group) {
    x = _mm256_sllv_epi32(x, constant(group, left));
    const __m256i by = constant(group, significands);
    const __m256i nudge = _mm256_set1_epi64x(std::int64_t{1} << 30);
    const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(x, by), nudge);
    const __m256i odd = _mm256_add_epi64(
        _mm256_mul_epi32(_mm256_srli_epi64(x, 32), _mm256_srli_epi64(by, 32)), nudge
    );
    const __m256i high =
        _mm256_blend_epi32(_mm256_srli_epi64(even, 31), _mm256_slli_epi64(odd, 1), 0xAA);
    const __m256i low_bits = constant(group, mask);
    // a comparison gives -1 where it holds
    const __m256i threshold =
        _mm256_sub_epi32(_mm256_srli_epi32(low_bits, 1), _mm256_srai_epi32(high, 31));
    const __m256i up = _mm256_cmpgt_epi32(_mm256_and_si256(high, low_bits), threshold);
    return _mm256_sub_epi32(_mm256_srav_epi32(high, constant(group, right)), up);
}

STATOR_AVX2 __m256i scaled_once(__m256i x, const std::byte* group) {
    const __m256i by = constant(group, significands);
    const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(x, by), constant(group, nudge_even));
    const __m256i odd = _mm256_add_epi64(
        _mm256_mul_epi32(_mm256_srli_epi64(x, 32), _mm256_srli_epi64(by, 32)),
        constant(group, nudge_odd)
    );
    const __m256i low = _mm256_srlv_epi64(even, constant(group, total_even));
    const __m256i high = _mm256_slli_epi64(_mm256_srlv_epi64(odd, constant(group, total_odd)), 32);
    return _mm256_sub_epi32(_mm256_blend_epi32(low, high, 0xAA), constant(group, bias));
}

// The steps of eight units, of which the first `units` are stored; `wide` takes all, or is none.
STATOR_AVX2 void store(
    const Dense& d, __m256i steps, std::int8_t* y, std::uint32_t units, std::byte* wide
) {
    steps = _mm256_add_epi32(steps, _mm256_set1_epi32(d.y_zero));
    steps = _mm256_min_epi32(
        _mm256_max_epi32(steps, _mm256_set1_epi32(d.low)), _mm256_set1_epi32(d.high)
    );
    const __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(steps), _mm256_extracti128_si256(steps, 1));
    if (wide != nullptr) std::memcpy(wide, &words, sizeof words);
    const auto bytes = static_cast<std::uint64_t>(_mm_cvtsi128_si64(_mm_packs_epi16(words, words)));
    if (units >= lanes) {
        std::memcpy(y, &bytes, lanes);
        return;
    }
    store_few(bytes, units, y);
}

template <Rounding rounding, std::uint32_t groups>
STATOR_AVX2 void block(
    const Dense& d, const std::byte* group, const Wide& wide, std::uint32_t unit
) {
    const std::size_t stride = group_bytes(d.depth);
    __m256i totals[groups];
#pragma GCC unroll 4
    for (std::uint32_t g = 0; g < groups; ++g)
        totals[g] = constant(group + g * stride, sums);
    const std::uint32_t words = words_of(d.depth);
    const std::byte* at = group + constants_bytes;
    for (std::uint32_t i = 0; i < words; ++i, at += vector_bytes) {
        const __m256i pair = _mm256_set1_epi32(load<std::int32_t>(wide.input + std::size_t{4} * i));
#pragma GCC unroll 4
        for (std::uint32_t g = 0; g < groups; ++g)
            totals[g] =
                _mm256_add_epi32(totals[g], _mm256_madd_epi16(pair, loaded(at + g * stride)));
    }
#pragma GCC unroll 4
    for (std::uint32_t g = 0; g < groups; ++g, group += stride, unit += lanes) {
        const __m256i steps = rounding == Rounding::double_ ? scaled_twice(totals[g], group)
                                                            : scaled_once(totals[g], group);
        std::byte* const next = wide.output == nullptr ? nullptr : wide.output + 2 * unit;
        store(d, steps, d.y + unit, d.units - unit, next);
    }
}

template <Rounding rounding>
[[gnu::target("avx2")]] void run_all(const Dense& d, const std::byte* packed, const Wide& wide) {
    for (std::uint32_t i = 0; !wide.is_there && i < d.depth; i += 16) {
        __m128i bytes;
        std::memcpy(&bytes, d.x + i, 16);
        const __m256i pairs = _mm256_cvtepi8_epi16(bytes);
        std::memcpy(wide.input + std::size_t{2} * i, &pairs, vector_bytes);
    }
    const std::size_t stride = group_bytes(d.depth);
    std::uint32_t unit = 0;
    for (; unit + 3 * lanes < d.units; unit += 4 * lanes, packed += 4 * stride)
        block<rounding, 4>(d, packed, wide, unit);
    if (unit + lanes < d.units) {
        block<rounding, 2>(d, packed, wide, unit);
        unit += 2 * lanes;
        packed += 2 * stride;
    }
    if (unit < d.units) block<rounding, 1>(d, packed, wide, unit);
}

void run(const Dense& d, Rounding rounding, const std::byte* packed, Wide wide) {
    rounding == Rounding::double_ ? run_all<Rounding::double_>(d, packed, wide)
                                  : run_all<Rounding::single>(d, packed, wide);
}

}  // namespace

const RowKernel row_avx2{
    .packed_bytes = packed_bytes, .wide_bytes = wide_bytes, .pack = pack, .run = run
};

}  // namespace stator::tinyml

#endif
