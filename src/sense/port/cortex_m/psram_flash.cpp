#include "sense/port/cortex_m/psram_flash.h"

#include <cassert>
#include <cstdint>

namespace stator::cortex_m {

using base::Fault;
using base::Result;

std::span<const std::byte> PsramFlash::mapped(std::size_t offset, std::size_t size) const {
    assert(offset <= size_ && size <= size_ - offset);
    return {reinterpret_cast<const std::byte*>(begin_ + offset), size};
}

Result<void> PsramFlash::erase(std::size_t sector_offset) {
    if (sector_offset % sector_bytes() != 0 || sector_offset >= size_)
        return std::unexpected{Fault::bad_input};
    auto* word = reinterpret_cast<volatile std::uint32_t*>(begin_ + sector_offset);
    for (std::size_t i = 0; i < sector_bytes() / sizeof *word; ++i)
        word[i] = 0xFFFF'FFFFU;
    return {};
}

Result<void> PsramFlash::program(std::size_t offset, std::span<const std::byte> bytes) {
    if (offset % hal::flash_program_bytes != 0 || bytes.size() % hal::flash_program_bytes != 0 ||
        offset > size_ || bytes.size() > size_ - offset)
        return std::unexpected{Fault::bad_input};
    auto* place = reinterpret_cast<volatile std::uint8_t*>(begin_ + offset);
    for (std::size_t i = 0; i < bytes.size(); ++i)
        place[i] = place[i] & std::to_integer<std::uint8_t>(bytes[i]);
    return {};
}

}  // namespace stator::cortex_m
