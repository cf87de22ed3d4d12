// memory.h is how the board's memory is shared out: the firmware's word, and the tools'.
//
//   code:  | boot stage | the program, where it was linked for |
//   flash: | the node's: boots, model slots | the program's: log, slots | ... | backlog |
//          | ... | factory page | factory model |
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace stator::cortex_m {

inline constexpr std::string_view board_name = "mps2-an386";
inline constexpr std::string_view level2_board_name = "mps2-an386-edge";  // runs other programs

inline constexpr std::size_t flash_bytes = 1U << 20U;      // of the node's: boots, model slots
inline constexpr std::size_t factory_page_at = 4U << 20U;  // from the PSRAM's begin
inline constexpr std::size_t factory_model_at = factory_page_at + (16U << 10U);
inline constexpr std::size_t factory_model_bytes = 256U << 10U;
inline constexpr std::size_t psram_bytes = 16U << 20U;
inline constexpr std::size_t sector_bytes = 4096;
inline constexpr std::size_t arena_bytes = 6U << 10U;  // each of the two

inline constexpr std::size_t firmware_at = flash_bytes;  // in the flash
inline constexpr std::size_t firmware_slot_bytes = 256U << 10U;
inline constexpr std::size_t firmware_bytes = 2 * sector_bytes + 2 * firmware_slot_bytes;
static_assert(firmware_at + firmware_bytes <= factory_page_at);

inline constexpr std::size_t backlog_at = 2U << 20U;     // in the flash
inline constexpr std::size_t backlog_bytes = 1U << 20U;  // of what waits for the site
static_assert(firmware_at + firmware_bytes <= backlog_at);
static_assert(backlog_at + backlog_bytes <= factory_page_at);

inline constexpr std::uint32_t program_begin = 0x1'0000;  // as mps2_an386.ld is told

}  // namespace stator::cortex_m
