#include "sense/edge/alarms.h"

#include "shared/base/crc32c.h"

#include <array>
#include <string_view>

namespace stator::edge {
namespace {

constexpr std::uint32_t magic = 0x4D52'4C41;  // "ALRM"

std::uint32_t hash_of(std::span<const factory::Assigned> devices) {
    constexpr std::array end = {std::byte{'\n'}};
    std::uint32_t hash = 0;
    for (const factory::Assigned& one : devices) {
        const std::string_view id = one.device.view();
        hash = base::crc32c(end, base::crc32c(std::as_bytes(std::span{id}), hash));
    }
    return hash;
}

}  // namespace

Alarms::Alarms(hal::Flash& flash, std::span<const factory::Assigned> devices)
    : log_{flash, 0, magic}, ids_{hash_of(devices)} {}

Alarms::Kept Alarms::kept() const {
    const auto words = log_.last();
    if (!words || (*words)[1] != ids_) return {};
    return {.devices = (*words)[0], .release = (*words)[2]};
}

bool Alarms::keep(const Kept& now) {
    return log_.append({now.devices, ids_, now.release}).has_value();
}

}  // namespace stator::edge
