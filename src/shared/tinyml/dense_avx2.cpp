// FULLY_CONNECTED of int8 in AVX2: four units at a time, and their rescaling at once.
#include "shared/tinyml/dense.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <cstring>

namespace stator::tinyml {

namespace {

#define STATOR_AVX2 [[gnu::target("avx2")]] inline

STATOR_AVX2 __m256i wide16(const std::int8_t* at) {
    __m128i bytes;
    std::memcpy(&bytes, at, 16);
    return _mm256_cvtepi8_epi16(bytes);
}

STATOR_AVX2 __m128i wide8(const std::int8_t* at) {
    std::int64_t bytes = 0;
    std::memcpy(&bytes, at, 8);
    return _mm_cvtepi8_epi16(_mm_cvtsi64_si128(bytes));
}

STATOR_AVX2 __m128i wide4(const std::int8_t* at) {
    std::int32_t bytes = 0;
    std::memcpy(&bytes, at, 4);
    return _mm_cvtepi8_epi16(_mm_cvtsi32_si128(bytes));
}

STATOR_AVX2 __m128i folded(__m256i sums) {
    return _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
}

// Four units' sums of (x - zero) * weight; |x - zero| <= 255 fits 16 bits, and a pair's sum 32.
STATOR_AVX2 __m128i dot4(const Dense& d, const std::int8_t* w) {
    const std::size_t depth = d.depth;
    const auto zero = static_cast<std::int16_t>(d.x_zero);
    const __m256i zeros = _mm256_set1_epi16(zero);
    const __m128i half_zeros = _mm_set1_epi16(zero);
    __m256i wide_a = _mm256_setzero_si256();
    __m256i wide_b = wide_a;
    __m256i wide_c = wide_a;
    __m256i wide_d = wide_a;
    std::size_t i = 0;
    for (; i + 16 <= depth; i += 16) {
        const __m256i x = _mm256_sub_epi16(wide16(d.x + i), zeros);
        wide_a = _mm256_add_epi32(wide_a, _mm256_madd_epi16(x, wide16(w + i)));
        wide_b = _mm256_add_epi32(wide_b, _mm256_madd_epi16(x, wide16(w + depth + i)));
        wide_c = _mm256_add_epi32(wide_c, _mm256_madd_epi16(x, wide16(w + 2 * depth + i)));
        wide_d = _mm256_add_epi32(wide_d, _mm256_madd_epi16(x, wide16(w + 3 * depth + i)));
    }
    __m128i a = folded(wide_a);
    __m128i b = folded(wide_b);
    __m128i c = folded(wide_c);
    __m128i e = folded(wide_d);
    if (i + 8 <= depth) {
        const __m128i x = _mm_sub_epi16(wide8(d.x + i), half_zeros);
        a = _mm_add_epi32(a, _mm_madd_epi16(x, wide8(w + i)));
        b = _mm_add_epi32(b, _mm_madd_epi16(x, wide8(w + depth + i)));
        c = _mm_add_epi32(c, _mm_madd_epi16(x, wide8(w + 2 * depth + i)));
        e = _mm_add_epi32(e, _mm_madd_epi16(x, wide8(w + 3 * depth + i)));
        i += 8;
    }
    if (i + 4 <= depth) {  // the weights' upper lanes are 0
        const __m128i x = _mm_sub_epi16(wide4(d.x + i), half_zeros);
        a = _mm_add_epi32(a, _mm_madd_epi16(x, wide4(w + i)));
        b = _mm_add_epi32(b, _mm_madd_epi16(x, wide4(w + depth + i)));
        c = _mm_add_epi32(c, _mm_madd_epi16(x, wide4(w + 2 * depth + i)));
        e = _mm_add_epi32(e, _mm_madd_epi16(x, wide4(w + 3 * depth + i)));
        i += 4;
    }
    __m128i sums = _mm_hadd_epi32(_mm_hadd_epi32(a, b), _mm_hadd_epi32(c, e));
    for (; i < depth; ++i) {
        const __m128i by = _mm_setr_epi32(w[i], w[depth + i], w[2 * depth + i], w[3 * depth + i]);
        sums = _mm_add_epi32(sums, _mm_mullo_epi32(_mm_set1_epi32(d.x[i] - d.x_zero), by));
    }
    return sums;
}

STATOR_AVX2 __m128i four(const std::byte* numbers, std::uint32_t at) {
    __m128i read;
    std::memcpy(&read, numbers + std::size_t{4} * at, 16);
    return read;
}

STATOR_AVX2 __m128i four_bytes(const std::int8_t* numbers) {
    std::int32_t bytes = 0;
    std::memcpy(&bytes, numbers, 4);
    return _mm_cvtepi8_epi32(_mm_cvtsi32_si128(bytes));
}

STATOR_AVX2 __m128i one(std::int32_t number) {
    return _mm_set1_epi32(number);
}

// The lower halves of four 64-bit lanes.
STATOR_AVX2 __m128i lower(__m256i lanes) {
    const __m256i order = _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6);
    return _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(lanes, order));
}

// scaled<double_> of fixed_point.h: the high product is (p + 2^30) >> 31 for either sign, since the
// significand is never -2^31.
STATOR_AVX2 __m128i scaled_twice(__m128i x, __m128i significand, __m128i shift) {
    const __m128i none = _mm_setzero_si128();
    const __m128i left = _mm_max_epi32(shift, none);
    const __m128i right = _mm_max_epi32(_mm_sub_epi32(none, shift), none);
    x = _mm_sllv_epi32(x, left);
    const __m256i product =
        _mm256_mul_epi32(_mm256_cvtepi32_epi64(x), _mm256_cvtepi32_epi64(significand));
    const __m256i nudged = _mm256_add_epi64(product, _mm256_set1_epi64x(std::int64_t{1} << 30));
    const __m128i high = lower(_mm256_srli_epi64(nudged, 31));
    const __m128i mask = _mm_sub_epi32(_mm_sllv_epi32(_mm_set1_epi32(1), right), _mm_set1_epi32(1));
    const __m128i remainder = _mm_and_si128(high, mask);
    // a comparison gives -1 where it holds
    const __m128i threshold = _mm_sub_epi32(_mm_srai_epi32(mask, 1), _mm_cmpgt_epi32(none, high));
    return _mm_sub_epi32(_mm_srav_epi32(high, right), _mm_cmpgt_epi32(remainder, threshold));
}

// scaled<single>: |product + half| < 2^63, so a shift of unsigned lanes around 2^63 is exact.
STATOR_AVX2 __m128i scaled_once(__m128i x, __m128i significand, __m128i shift) {
    const __m256i product =
        _mm256_mul_epi32(_mm256_cvtepi32_epi64(x), _mm256_cvtepi32_epi64(significand));
    const __m256i total = _mm256_cvtepi32_epi64(_mm_sub_epi32(_mm_set1_epi32(31), shift));
    const __m256i ones = _mm256_set1_epi64x(1);
    const __m256i half = _mm256_sllv_epi64(ones, _mm256_sub_epi64(total, ones));
    const __m256i middle = _mm256_slli_epi64(ones, 63);
    const __m256i moved = _mm256_add_epi64(_mm256_add_epi64(product, half), middle);
    return lower(_mm256_sub_epi64(_mm256_srlv_epi64(moved, total), _mm256_srlv_epi64(middle, total))
    );
}

}  // namespace

bool has_avx2() {
    return __builtin_cpu_supports("avx2") != 0;
}

[[gnu::target("avx2")]] void dense_avx2(const Dense& d, Rounding rounding) {
    const bool twice = rounding == Rounding::double_;
    const bool each = d.scale.count > 1;
    if (d.units < 4) {
        return twice ? dense_portable<Rounding::double_>(d) : dense_portable<Rounding::single>(d);
    }
    for (std::uint32_t next = 0; next < d.units;) {
        const std::uint32_t unit = std::min(next, d.units - 4);  // the last four may overlap
        next = unit + 4;
        __m128i sums = dot4(d, d.weights + std::size_t{unit} * d.depth);
        if (d.bias != nullptr) sums = _mm_add_epi32(sums, four(d.bias, unit));
        const __m128i significand = each ? four(d.scale.at, unit) : one(d.scale.of(0).significand);
        const __m128i shift = each ? four_bytes(d.scale.shifts() + unit) : one(d.scale.of(0).shift);
        __m128i steps =
            twice ? scaled_twice(sums, significand, shift) : scaled_once(sums, significand, shift);
        steps = _mm_add_epi32(steps, _mm_set1_epi32(d.y_zero));
        steps = _mm_min_epi32(_mm_max_epi32(steps, _mm_set1_epi32(d.low)), _mm_set1_epi32(d.high));
        const __m128i words = _mm_packs_epi32(steps, steps);
        const std::int32_t bytes = _mm_cvtsi128_si32(_mm_packs_epi16(words, words));
        std::memcpy(d.y + unit, &bytes, 4);
    }
}

}  // namespace stator::tinyml

#endif
