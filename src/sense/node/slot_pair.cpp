#include "sense/node/slot_pair.h"

#include <algorithm>
#include <array>

namespace stator::node {

using base::Fault;
using base::Result;

Result<bool> SlotPair::erase_next(std::uint32_t slot, std::size_t bytes) {
    if (bytes > slot_bytes_) return std::unexpected{Fault::full};
    if (erased_ >= bytes) return true;
    const auto erased = flash_.erase(place(slot) + erased_);
    if (!erased) return std::unexpected{erased.error()};
    erased_ += flash_.sector_bytes();
    return erased_ >= bytes;
}

Result<void> SlotPair::write(std::uint32_t slot, std::size_t at, std::span<const std::byte> bytes) {
    if (at > slot_bytes_ || bytes.size() > slot_bytes_ - at) return std::unexpected{Fault::full};
    const std::size_t offset = place(slot) + at;
    const std::size_t whole = bytes.size() / hal::flash_program_bytes * hal::flash_program_bytes;
    if (whole > 0) {
        const auto written = flash_.program(offset, bytes.first(whole));
        if (!written) return written;
    }
    if (whole == bytes.size()) return {};
    std::array<std::byte, hal::flash_program_bytes> tail{};
    tail.fill(std::byte{0xFF});
    std::ranges::copy(bytes.subspan(whole), tail.begin());
    return flash_.program(offset + whole, tail);
}

std::span<const std::byte> SlotPair::mapped(std::uint32_t slot, std::size_t at, std::size_t size)
    const {
    return flash_.mapped(place(slot) + at, size);
}

}  // namespace stator::node
