// memory.h is how much of the board's memory a model may have: the firmware's word, and the tools'.
#pragma once

#include <cstddef>

namespace stator::cortex_m {

inline constexpr std::size_t flash_bytes = 1U << 20U;  // of the node's: boots, model slots
inline constexpr std::size_t sector_bytes = 4096;
inline constexpr std::size_t arena_bytes = 6U << 10U;  // each of the two

}  // namespace stator::cortex_m
