// A Tile is sixteen rows through a FULLY_CONNECTED layer of int8, side by side in the lanes of
// vectors.
//
// Numbers lie in planes: the sixteen rows' value of one input (or unit) are sixteen bytes. A kernel
// widens the input's planes to words of `group` inputs a row, multiplies them by packed weights
// (one word for all rows, so no layer is too narrow for the vectors) and rescales a whole plane by
// the unit's one multiplier. The input's zero point is folded into the packed sums; arithmetic
// wraps, so that changes no bit: a Tile's bits are those of sixteen times dense_portable().
#pragma once

#include "shared/tinyml/dense.h"

#include <cstddef>
#include <cstdint>

namespace stator::tinyml {

inline constexpr std::uint32_t tile_rows = 16;

struct Tile {
    const std::byte* wide = nullptr;    // words x 16 rows x 4 bytes
    const std::byte* packed = nullptr;  // units' sums (int32), then units x words x 4 bytes
    Multipliers scale;                  // as in Dense
    std::int8_t* y = nullptr;           // units x 16 rows
    std::uint32_t words = 0;
    std::uint32_t units = 0;
    std::int32_t y_zero = 0;
    std::int32_t low = -128;
    std::int32_t high = 127;
};

// What one instruction set does.
struct TileKernel {
    const char* name;
    std::uint32_t group;  // inputs in a word: 2 (int16) or 4 (int8)
    std::int32_t offset;  // added to each input by widen()
    void (*widen)(const std::int8_t* planes, std::uint32_t depth, std::byte* wide);
    void (*run)(const Tile& tile, Rounding rounding);

    [[nodiscard]] std::uint32_t words(std::uint32_t depth) const {
        return (depth + group - 1) / group;
    }

    [[nodiscard]] std::size_t wide_bytes(std::uint32_t depth) const {
        return std::size_t{4} * tile_rows * words(depth);
    }

    [[nodiscard]] std::size_t packed_bytes(std::uint32_t depth, std::uint32_t units) const {
        return std::size_t{4} * units * (std::size_t{1} + words(depth));
    }
};

// The layer's weights and sums as `kernel` wants them: packed_bytes(), at an address aligned to 4.
void pack(const TileKernel& kernel, const Dense& dense, std::byte* packed);

// The sums of a packed layer, and a unit's words.
[[nodiscard]] inline std::int32_t sum_of(const Tile& tile, std::uint32_t unit) {
    return load<std::int32_t>(tile.packed + std::size_t{4} * unit);
}

[[nodiscard]] inline const std::byte* words_of(const Tile& tile, std::uint32_t unit) {
    return tile.packed +
           std::size_t{4} * (tile.units + static_cast<std::size_t>(unit) * tile.words);
}

// The best kernel of this machine (asked at run time), or none.
[[nodiscard]] const TileKernel* tile_kernel();

#if defined(__x86_64__)
extern const TileKernel tile_avx2;  // where has_avx2()
extern const TileKernel tile_vnni;  // where has_vnni()
[[nodiscard]] bool has_vnni();
#elif defined(__aarch64__)
extern const TileKernel tile_neon;
#endif

}  // namespace stator::tinyml
