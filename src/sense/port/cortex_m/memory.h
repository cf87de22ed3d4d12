// memory.h is how the board's memory is shared out: the firmware's word, and the tools'.
#pragma once

#include <cstddef>

namespace stator::cortex_m {

inline constexpr std::size_t flash_bytes = 1U << 20U;      // of the node's: boots, model slots
inline constexpr std::size_t factory_page_at = 4U << 20U;  // from the PSRAM's begin
inline constexpr std::size_t psram_bytes = 16U << 20U;
inline constexpr std::size_t sector_bytes = 4096;
inline constexpr std::size_t arena_bytes = 6U << 10U;  // each of the two

}  // namespace stator::cortex_m
