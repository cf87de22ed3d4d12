// Sixteen rows of FULLY_CONNECTED in NEON, which every aarch64 has: planes of int16, two units
// share an input. Words are pairs of inputs only in the weights; of the input, plane follows plane.
#include "shared/tinyml/tile.h"

#if defined(__aarch64__)

#include <arm_neon.h>

#include <cstring>

namespace stator::tinyml {

namespace {

struct Rows {
    int32x4_t four[4];
};

void widen(const std::int8_t* x, std::uint32_t depth, std::byte* wide) {
    auto* to = reinterpret_cast<std::int16_t*>(wide);
    for (std::uint32_t i = 0; i < depth; ++i, x += tile_rows, to += tile_rows) {
        const int8x16_t plane = vld1q_s8(x);
        vst1q_s16(to, vmovl_s8(vget_low_s8(plane)));
        vst1q_s16(to + 8, vmovl_high_s8(plane));
    }
    if (depth % 2 != 0) std::memset(to, 0, 2 * tile_rows);
}

// The high product rounds as vqrdmulh does; the shift rounds halves away from zero.
int32x4_t scaled_twice(int32x4_t x, const Multiplier& by) {
    const int32x4_t left = vdupq_n_s32(by.shift > 0 ? by.shift : 0);
    const int32x4_t right = vdupq_n_s32(by.shift > 0 ? 0 : by.shift);  // to the right: below 0
    const int32x4_t high = vqrdmulhq_n_s32(vshlq_s32(x, left), by.significand);
    const int32x4_t down = vshrq_n_s32(vandq_s32(high, right), 31);
    return vrshlq_s32(vqaddq_s32(high, down), right);
}

int32x4_t scaled_once(int32x4_t x, const Multiplier& by) {
    const int64x2_t right = vdupq_n_s64(std::int64_t{by.shift} - 31);
    const int64x2_t low = vmull_n_s32(vget_low_s32(x), by.significand);
    const int64x2_t high = vmull_high_n_s32(x, by.significand);
    return vcombine_s32(vmovn_s64(vrshlq_s64(low, right)), vmovn_s64(vrshlq_s64(high, right)));
}

template <Rounding rounding>
void finish(const Tile& t, std::uint32_t unit, Rows sums) {
    const Multiplier by = t.scale.of(unit);
#pragma GCC unroll 4
    for (int32x4_t& four : sums.four) {
        four = rounding == Rounding::double_ ? scaled_twice(four, by) : scaled_once(four, by);
        four = vaddq_s32(four, vdupq_n_s32(t.y_zero));
    }
    const int16x8_t first = vqmovn_high_s32(vqmovn_s32(sums.four[0]), sums.four[1]);
    const int16x8_t second = vqmovn_high_s32(vqmovn_s32(sums.four[2]), sums.four[3]);
    int8x16_t bytes = vqmovn_high_s16(vqmovn_s16(first), second);
    bytes = vmaxq_s8(bytes, vdupq_n_s8(static_cast<std::int8_t>(t.low)));
    bytes = vminq_s8(bytes, vdupq_n_s8(static_cast<std::int8_t>(t.high)));
    vst1q_s8(t.y + std::size_t{unit} * tile_rows, bytes);
}

template <int lane>
void add_plane(Rows& sums, int16x8_t first, int16x8_t second, int16x4_t weights) {
    sums.four[0] = vmlal_lane_s16(sums.four[0], vget_low_s16(first), weights, lane);
    sums.four[1] = vmlal_high_lane_s16(sums.four[1], first, weights, lane);
    sums.four[2] = vmlal_lane_s16(sums.four[2], vget_low_s16(second), weights, lane);
    sums.four[3] = vmlal_high_lane_s16(sums.four[3], second, weights, lane);
}

template <Rounding rounding, std::uint32_t units>
void block(const Tile& t, std::uint32_t unit) {
    Rows sums[units];
    const std::byte* words[units];
#pragma GCC unroll 8
    for (std::uint32_t u = 0; u < units; ++u) {
        for (int32x4_t& four : sums[u].four)
            four = vdupq_n_s32(sum_of(t, unit + u));
        words[u] = words_of(t, unit + u);
    }
    const auto* x = reinterpret_cast<const std::int16_t*>(t.wide);
    for (std::uint32_t i = 0; i < t.words; ++i, x += std::size_t{2} * tile_rows) {
        const int16x8_t even_first = vld1q_s16(x);
        const int16x8_t even_second = vld1q_s16(x + 8);
        const int16x8_t odd_first = vld1q_s16(x + 16);
        const int16x8_t odd_second = vld1q_s16(x + 24);
#pragma GCC unroll 8
        for (std::uint32_t u = 0; u < units; ++u) {
            const int16x4_t weights =
                vreinterpret_s16_s32(vdup_n_s32(load<std::int32_t>(words[u] + std::size_t{4} * i)));
            add_plane<0>(sums[u], even_first, even_second, weights);
            add_plane<1>(sums[u], odd_first, odd_second, weights);
        }
    }
#pragma GCC unroll 8
    for (std::uint32_t u = 0; u < units; ++u)
        finish<rounding>(t, unit + u, sums[u]);
}

template <Rounding rounding>
void run_all(const Tile& t) {
    std::uint32_t unit = 0;
    for (; unit + 4 <= t.units; unit += 4)
        block<rounding, 4>(t, unit);
    for (; unit < t.units; ++unit)
        block<rounding, 1>(t, unit);
}

void run(const Tile& t, Rounding rounding) {
    rounding == Rounding::double_ ? run_all<Rounding::double_>(t) : run_all<Rounding::single>(t);
}

}  // namespace

const TileKernel tile_neon{.name = "NEON", .group = 2, .offset = 0, .widen = widen, .run = run};

}  // namespace stator::tinyml

#endif
