#include "sense/port/esp32/firmware_flash.h"

#include <cassert>

namespace stator::esp32 {

using base::Fault;
using base::Result;

namespace {

constexpr std::size_t log_sectors = 2;

}  // namespace

FirmwareFlash::FirmwareFlash(hal::Flash& small, hal::Flash& slot_0, hal::Flash& slot_1)
    : small_{small}, slots_{&slot_0, &slot_1} {
    assert(slot_0.size_bytes() == slot_1.size_bytes());
    assert(small.size_bytes() >= (log_sectors + slots_.size()) * small.sector_bytes());
}

std::size_t FirmwareFlash::size_bytes() const {
    return (log_sectors + slots_.size()) * sector_bytes() + 2 * slots_[0]->size_bytes();
}

FirmwareFlash::Place FirmwareFlash::place(std::size_t offset) const {
    const std::size_t log_bytes = log_sectors * sector_bytes();
    if (offset < log_bytes) return {&small_, offset, log_bytes - offset};
    const std::size_t slot_bytes = sector_bytes() + slots_[0]->size_bytes();
    const std::size_t slot = (offset - log_bytes) / slot_bytes;
    const std::size_t at = (offset - log_bytes) % slot_bytes;
    if (slot >= slots_.size()) return {};
    if (at < sector_bytes())
        return {&small_, log_bytes + slot * sector_bytes() + at, sector_bytes() - at};
    return {slots_[slot], at - sector_bytes(), slot_bytes - at};
}

std::span<const std::byte> FirmwareFlash::mapped(std::size_t offset, std::size_t size) const {
    const Place at = place(offset);
    assert(at.flash != nullptr && size <= at.room);
    return at.flash->mapped(at.offset, size);
}

Result<void> FirmwareFlash::erase(std::size_t sector_offset) {
    const Place at = place(sector_offset);
    if (at.flash == nullptr) return std::unexpected{Fault::bad_input};
    return at.flash->erase(at.offset);
}

Result<void> FirmwareFlash::program(std::size_t offset, std::span<const std::byte> bytes) {
    const Place at = place(offset);
    if (at.flash == nullptr || bytes.size() > at.room) return std::unexpected{Fault::bad_input};
    return at.flash->program(at.offset, bytes);
}

}  // namespace stator::esp32
