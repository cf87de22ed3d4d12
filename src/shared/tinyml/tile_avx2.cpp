// Sixteen rows of FULLY_CONNECTED in AVX2: words are pairs of int16, four units share an input.
#include "shared/tinyml/tile.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <cstring>

namespace stator::tinyml {

namespace {

#define STATOR_AVX2 [[gnu::target("avx2")]] inline

// Rows 0-3 and 8-11 are in `a`, the others in `b`: what unpacking gives and packing takes.
struct Pair {
    __m256i a;
    __m256i b;
};

STATOR_AVX2 __m256i loaded(const std::byte* at) {
    __m256i bytes;
    std::memcpy(&bytes, at, 32);
    return bytes;
}

STATOR_AVX2 __m256i plane16(const std::int8_t* at) {
    __m128i bytes;
    std::memcpy(&bytes, at, 16);
    return _mm256_cvtepi8_epi16(bytes);
}

[[gnu::target("avx2")]] void widen(const std::int8_t* x, std::uint32_t depth, std::byte* wide) {
    for (std::uint32_t i = 0; i < depth; i += 2) {
        const __m256i even = plane16(x + std::size_t{i} * tile_rows);
        const __m256i odd =
            i + 1 < depth ? plane16(x + (std::size_t{i} + 1) * tile_rows) : _mm256_setzero_si256();
        const __m256i a = _mm256_unpacklo_epi16(even, odd);
        const __m256i b = _mm256_unpackhi_epi16(even, odd);
        std::memcpy(wide, &a, 32);
        std::memcpy(wide + 32, &b, 32);
        wide += 64;
    }
}

// A unit's multiplier, spread for the lanes.
struct Scale {
    __m256i significand;
    __m256i nudge;
    __m128i left;
    __m128i right;
    __m256i mask;
    __m256i half_mask;
    __m256i bias;
};

// double_: nudge 2^30 and a shift by 31, then a rounding shift. single: one shift of 64-bit lanes
// around 2^63 (see dense_avx2.cpp), whose offset `bias` takes off again.
STATOR_AVX2 Scale scale_of(const Multiplier& by, bool twice) {
    const int right = by.shift > 0 ? 0 : -by.shift;
    const int total = 31 - by.shift;
    const auto mask = static_cast<std::int32_t>((std::int64_t{1} << right) - 1);
    const std::uint64_t middle = std::uint64_t{1} << 63;
    const std::uint64_t nudge =
        twice ? std::uint64_t{1} << 30 : middle + (std::uint64_t{1} << (total - 1));
    return {
        .significand = _mm256_set1_epi32(by.significand),
        .nudge = _mm256_set1_epi64x(static_cast<std::int64_t>(nudge)),
        .left = _mm_cvtsi32_si128(by.shift > 0 ? by.shift : 0),
        .right = _mm_cvtsi32_si128(twice ? right : total),
        .mask = _mm256_set1_epi32(mask),
        .half_mask = _mm256_set1_epi32(mask >> 1),
        .bias = _mm256_set1_epi32(static_cast<std::int32_t>(middle >> total)),
    };
}

STATOR_AVX2 __m256i scaled_twice(__m256i x, const Scale& s) {
    x = _mm256_sll_epi32(x, s.left);
    const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(x, s.significand), s.nudge);
    const __m256i odd =
        _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(x, 32), s.significand), s.nudge);
    const __m256i high =
        _mm256_blend_epi32(_mm256_srli_epi64(even, 31), _mm256_slli_epi64(odd, 1), 0xAA);
    // a comparison gives -1 where it holds
    const __m256i threshold = _mm256_sub_epi32(s.half_mask, _mm256_srai_epi32(high, 31));
    const __m256i up = _mm256_cmpgt_epi32(_mm256_and_si256(high, s.mask), threshold);
    return _mm256_sub_epi32(_mm256_sra_epi32(high, s.right), up);
}

STATOR_AVX2 __m256i scaled_once(__m256i x, const Scale& s) {
    const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(x, s.significand), s.nudge);
    const __m256i odd =
        _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(x, 32), s.significand), s.nudge);
    const __m256i low = _mm256_srl_epi64(even, s.right);
    const __m256i high = _mm256_slli_epi64(_mm256_srl_epi64(odd, s.right), 32);
    return _mm256_sub_epi32(_mm256_blend_epi32(low, high, 0xAA), s.bias);
}

template <Rounding rounding>
STATOR_AVX2 void finish(const Tile& t, std::uint32_t unit, Pair sums) {
    constexpr bool twice = rounding == Rounding::double_;
    const Scale scale = scale_of(t.scale.of(unit), twice);
    const __m256i zero = _mm256_set1_epi32(t.y_zero);
    sums.a = twice ? scaled_twice(sums.a, scale) : scaled_once(sums.a, scale);
    sums.b = twice ? scaled_twice(sums.b, scale) : scaled_once(sums.b, scale);
    const __m256i words =
        _mm256_packs_epi32(_mm256_add_epi32(sums.a, zero), _mm256_add_epi32(sums.b, zero));
    __m128i bytes =
        _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    bytes = _mm_max_epi8(bytes, _mm_set1_epi8(static_cast<char>(t.low)));
    bytes = _mm_min_epi8(bytes, _mm_set1_epi8(static_cast<char>(t.high)));
    std::memcpy(t.y + std::size_t{unit} * tile_rows, &bytes, 16);
}

template <Rounding rounding, std::uint32_t units>
STATOR_AVX2 void block(const Tile& t, std::uint32_t unit) {
    Pair sums[units];
    const std::byte* words[units];
#pragma GCC unroll 8
    for (std::uint32_t u = 0; u < units; ++u) {
        sums[u].a = _mm256_set1_epi32(sum_of(t, unit + u));
        sums[u].b = sums[u].a;
        words[u] = words_of(t, unit + u);
    }
    const std::byte* wide = t.wide;
    for (std::uint32_t i = 0; i < t.words; ++i) {
        const __m256i a = loaded(wide);
        const __m256i b = loaded(wide + 32);
        wide += 64;
#pragma GCC unroll 8
        for (std::uint32_t u = 0; u < units; ++u) {
            const __m256i weight =
                _mm256_set1_epi32(load<std::int32_t>(words[u] + std::size_t{4} * i));
            sums[u].a = _mm256_add_epi32(sums[u].a, _mm256_madd_epi16(a, weight));
            sums[u].b = _mm256_add_epi32(sums[u].b, _mm256_madd_epi16(b, weight));
        }
    }
#pragma GCC unroll 8
    for (std::uint32_t u = 0; u < units; ++u)
        finish<rounding>(t, unit + u, sums[u]);
}

template <Rounding rounding>
[[gnu::target("avx2")]] void run_all(const Tile& t) {
    std::uint32_t unit = 0;
    for (; unit + 4 <= t.units; unit += 4)
        block<rounding, 4>(t, unit);
    if (unit + 2 <= t.units) {
        block<rounding, 2>(t, unit);
        unit += 2;
    }
    if (unit < t.units) block<rounding, 1>(t, unit);
}

void run(const Tile& t, Rounding rounding) {
    rounding == Rounding::double_ ? run_all<Rounding::double_>(t) : run_all<Rounding::single>(t);
}

}  // namespace

const TileKernel tile_avx2{.name = "AVX2", .group = 2, .offset = 0, .widen = widen, .run = run};

}  // namespace stator::tinyml

#endif
