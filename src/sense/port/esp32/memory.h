// memory.h is how much of the chip's memory a model may have: the firmware's word, and the tools'.
//
// The flash is the partition `node` of project/partitions.csv (boots, two model slots); the arenas
// are two of the node's static parts in the chip's 320 KB.
#pragma once

#include <cstddef>

namespace stator::esp32 {

inline constexpr std::size_t node_flash_bytes = 1U << 20U;
inline constexpr std::size_t flash_sector_bytes = 4096;
inline constexpr std::size_t arena_bytes = 6U << 10U;  // each of the two

}  // namespace stator::esp32
