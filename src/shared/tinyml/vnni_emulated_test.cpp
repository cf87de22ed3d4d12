// The AVX-512 kernels over SIMDe's emulation of its instructions, for machines that have none.
#include "shared/tinyml/row.h"
#include "shared/tinyml/tile.h"

#if defined(__x86_64__) && __has_include(<simde/x86/avx512.h>)

#pragma GCC diagnostic ignored "-Wpsabi"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wshadow"
#include <simde/x86/avx512.h>
#pragma GCC diagnostic pop

#include <algorithm>
#include <array>
#include <cstring>

namespace stator::tinyml::avx512 {

// What SIMDe has not: every lane of Lane by itself.
template <typename Lane, typename Result, typename From, typename Each>
Result each_lane(const From& from, Each each) {
    std::array<Lane, sizeof(From) / sizeof(Lane)> lanes;
    std::memcpy(lanes.data(), &from, sizeof from);
    std::array<decltype(each(Lane{})), lanes.size()> results{};
    std::transform(lanes.begin(), lanes.end(), results.begin(), each);
    Result result;
    static_assert(sizeof result == sizeof results);
    std::memcpy(&result, results.data(), sizeof result);
    return result;
}

template <typename Lane>
simde__m512i shifted(simde__m512i from, int bits) {
    return each_lane<Lane, simde__m512i>(from, [bits](Lane x) {
        return static_cast<Lane>(x >> bits);
    });
}

inline simde__m128i lowest_bytes(simde__m512i from) {
    return each_lane<std::int32_t, simde__m128i>(from, [](std::int32_t x) {
        return static_cast<std::int8_t>(x);
    });
}

}  // namespace stator::tinyml::avx512

namespace stator::tinyml::avx512_row {

// What SIMDe has not: every lane of Lane by itself.
template <typename Lane, typename Each>
simde__m512i lane_by_lane(simde__m512i a, simde__m512i b, Each each) {
    std::array<Lane, sizeof a / sizeof(Lane)> from{};
    std::array<Lane, sizeof a / sizeof(Lane)> with{};
    std::memcpy(from.data(), &a, sizeof a);
    std::memcpy(with.data(), &b, sizeof b);
    for (std::size_t i = 0; i < from.size(); ++i)
        from[i] = each(from[i], with[i]);
    std::memcpy(&a, from.data(), sizeof a);
    return a;
}

inline simde__m512i shifted_left(simde__m512i x, simde__m512i bits) {
    return lane_by_lane<std::uint32_t>(x, bits, [](std::uint32_t a, std::uint32_t b) {
        return a << b;
    });
}

template <typename Lane>
simde__m512i shifted_right(simde__m512i x, simde__m512i bits) {
    return lane_by_lane<Lane>(x, bits, [](Lane a, Lane b) { return static_cast<Lane>(a >> b); });
}

inline simde__m512i logically_right(simde__m512i x, int bits) {
    return lane_by_lane<std::uint32_t>(x, x, [bits](std::uint32_t a, std::uint32_t) {
        return a >> bits;
    });
}

using avx512::lowest_bytes;

}  // namespace stator::tinyml::avx512_row

#define __m128i simde__m128i
#define __m512i simde__m512i
#define __mmask16 simde__mmask16
#define _mm_setzero_si128 simde_mm_setzero_si128
#define _mm_xor_si128 simde_mm_xor_si128
#define _mm_set1_epi8 simde_mm_set1_epi8
#define _mm_unpacklo_epi8 simde_mm_unpacklo_epi8
#define _mm_unpackhi_epi8 simde_mm_unpackhi_epi8
#define _mm_unpacklo_epi16 simde_mm_unpacklo_epi16
#define _mm_unpackhi_epi16 simde_mm_unpackhi_epi16
#define _mm_cvtsi32_si128 simde_mm_cvtsi32_si128
#define _mm512_set1_epi32 simde_mm512_set1_epi32
#define _mm512_set1_epi64 simde_mm512_set1_epi64
#define _mm512_add_epi32 simde_mm512_add_epi32
#define _mm512_add_epi64 simde_mm512_add_epi64
#define _mm512_sub_epi32 simde_mm512_sub_epi32
#define _mm512_mul_epi32 simde_mm512_mul_epi32
#define _mm512_and_si512 simde_mm512_and_si512
#define _mm512_max_epi32 simde_mm512_max_epi32
#define _mm512_min_epi32 simde_mm512_min_epi32
#define _mm512_sll_epi32 simde_mm512_sll_epi32
#define _mm512_sra_epi32(x, bits) shifted<std::int32_t>(x, simde_mm_cvtsi128_si32(bits))
#define _mm512_sra_epi64(x, bits) shifted<std::int64_t>(x, simde_mm_cvtsi128_si32(bits))
#define _mm512_srai_epi32 shifted<std::int32_t>
#define _mm512_srli_epi64 simde_mm512_srli_epi64
#define _mm512_slli_epi64 simde_mm512_slli_epi64
#define _mm512_mask_blend_epi32 simde_mm512_mask_blend_epi32
#define _mm512_mask_add_epi32 simde_mm512_mask_add_epi32
#define _mm512_cmpgt_epi32_mask simde_mm512_cmpgt_epi32_mask
#define _mm512_cvtepi32_epi8 lowest_bytes
#define _mm512_dpbusd_epi32 simde_mm512_dpbusd_epi32
#define _mm_cvtsi128_si64 simde_mm_cvtsi128_si64
#define _mm_extract_epi64 simde_mm_extract_epi64
#define _mm512_setzero_si512 simde_mm512_setzero_si512
#define _mm512_srli_epi32 logically_right
#define _mm512_sllv_epi32 shifted_left
#define _mm512_srav_epi32 shifted_right<std::int32_t>
#define _mm512_srav_epi64 shifted_right<std::int64_t>
#define _mm512_mask_mov_epi32 simde_mm512_mask_mov_epi32
#define STATOR_AVX512 inline

#include "shared/tinyml/row_avx512.h"
#include "shared/tinyml/tile_avx512.h"

namespace stator::tinyml {

const TileKernel* emulated_vnni();

const TileKernel* emulated_vnni() {
    static const TileKernel kernel{
        .name = "AVX-512 VNNI, emulated",
        .group = 4,
        .offset = 128,
        .widen = avx512::widen,
        .run = avx512::run,
    };
    return &kernel;
}

const RowKernel* emulated_row_vnni();

const RowKernel* emulated_row_vnni() {
    static const RowKernel kernel{
        .packed_bytes = avx512_row::packed_bytes,
        .wide_bytes = avx512_row::wide_bytes,
        .pack = avx512_row::pack,
        .run = avx512_row::run
    };
    return &kernel;
}

}  // namespace stator::tinyml

#else

namespace stator::tinyml {

const TileKernel* emulated_vnni();

const TileKernel* emulated_vnni() {
    return nullptr;
}

const RowKernel* emulated_row_vnni();

const RowKernel* emulated_row_vnni() {
    return nullptr;
}

}  // namespace stator::tinyml

#endif
