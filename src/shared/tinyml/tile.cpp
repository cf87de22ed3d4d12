#include "shared/tinyml/tile.h"

#include <cstring>

namespace stator::tinyml {

void pack(const TileKernel& kernel, const Dense& d, std::byte* packed) {
    const std::uint32_t words = kernel.words(d.depth);
    std::byte* weights = packed + std::size_t{4} * d.units;
    std::memset(weights, 0, std::size_t{4} * d.units * words);
    const std::size_t step = 4 / kernel.group;
    for (std::uint32_t unit = 0; unit < d.units; ++unit) {
        const std::int8_t* row = d.weights + std::size_t{unit} * d.depth;
        std::byte* to = weights + std::size_t{4} * words * unit;
        std::uint32_t total = 0;
        for (std::uint32_t i = 0; i < d.depth; ++i) {
            const std::int16_t weight = row[i];
            total += static_cast<std::uint32_t>(weight);
            std::memcpy(to + step * i, &weight, step);  // little end first: one byte is enough
        }
        std::uint32_t sum = 0;
        if (d.bias != nullptr) sum = load<std::uint32_t>(d.bias + std::size_t{4} * unit);
        sum -= total * static_cast<std::uint32_t>(d.x_zero + kernel.offset);
        std::memcpy(packed + std::size_t{4} * unit, &sum, 4);
    }
}

const TileKernel* tile_kernel() {
#if defined(__x86_64__)
    if (has_vnni()) return &tile_vnni;
    if (has_avx2()) return &tile_avx2;
    return nullptr;
#elif defined(__aarch64__)
    return &tile_neon;
#else
    return nullptr;
#endif
}

}  // namespace stator::tinyml
