// conformance.h is what every port must do, in one suite for all of them.
//
// Each check says what is broken, in a sentence; nothing when all is well. No test library and no
// heap: unit tests run it on the host's parts, the proof image on the emulated board's, and a port
// of which no emulator is known has it built in, to be run on the chip.
#pragma once

#include "sense/hal/board.h"
#include "sense/hal/flash.h"
#include "sense/hal/machine.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace stator::hal {

// `open` gives the flash as it is after a restart: what was written before must be there. What lies
// in its sectors 1 and 2 is lost.
template <typename Open>
[[nodiscard]] std::string_view check_flash(Open&& open) {
    const std::size_t sector = open().sector_bytes();
    const std::size_t size = open().size_bytes();
    const auto at = [&](std::size_t offset) { return open().mapped(offset, 1)[0]; };
    constexpr std::array first = {
        std::byte{0xF0}, std::byte{0x12}, std::byte{0x00}, std::byte{0xFF}
    };
    constexpr std::array cleared = {
        std::byte{0x10}, std::byte{0x02}, std::byte{0x00}, std::byte{0x0F}
    };
    constexpr std::byte blank{0xFF};

    if (size < 4 * sector || size % sector != 0) return "flash: not four whole sectors";
    if (!open().erase(sector)) return "flash: a sector is not erased";
    if (!std::ranges::all_of(open().mapped(sector, sector), [](std::byte b) { return b == blank; }))
        return "flash: an erased sector is not blank";
    if (!open().program(sector + 8, first)) return "flash: a blank place is not programmed";
    if (at(sector + 7) != blank || at(sector + 12) != blank)
        return "flash: a neighbour of what was programmed is not blank";
    if (at(sector + 8) != first[0]) return "flash: what was programmed is not there";
    if (!open().program(sector + 8, cleared)) return "flash: bits are not cleared again";
    if (at(sector + 9) != cleared[1]) return "flash: bits that were cleared are still set";

    // Only whole units inside, and only whole sectors, are taken; nothing changes otherwise.
    if (open().program(sector + 9, first)) return "flash: a place between two units is taken";
    if (open().program(sector + 8, std::span{first}.first(3)))
        return "flash: a part of a unit is taken";
    if (open().program(size - 2, first)) return "flash: what goes beyond the end is taken";
    if (open().erase(sector + 4)) return "flash: a part of a sector is erased";
    if (open().erase(size)) return "flash: a sector beyond the end is erased";
    if (at(sector + 8) != cleared[0]) return "flash: a refused order changed it";

    if (!open().erase(2 * sector) || !open().program(2 * sector, first) || !open().erase(sector))
        return "flash: a second sector is not taken";
    if (at(sector + 8) != blank || at(2 * sector) != first[0])
        return "flash: a sector is not erased alone";
    return {};
}

[[nodiscard]] inline std::string_view check_time(Time& time) {
    constexpr int asked = 1'000;
    std::int64_t before = time.monotonic_us();
    for (int i = 0; i < asked; ++i) {
        const std::int64_t now = time.monotonic_us();
        if (now < before) return "time: it goes back";
        before = now;
    }
    if (time.synced() && time.unix_ms() <= 0) return "time: a date before 1970 is called synced";
    return {};
}

[[nodiscard]] inline std::string_view check_entropy(Entropy& entropy) {
    constexpr int asked = 64;
    std::uint32_t ever = 0;
    std::uint32_t always = ~0U;
    for (int i = 0; i < asked; ++i) {
        const std::uint32_t number = entropy.next();
        ever |= number;
        always &= number;
    }
    return ever == ~0U && always == 0 ? "" : "entropy: a bit never changes";
}

// `frame`: the longest that is asked for.
[[nodiscard]] inline std::string_view check_adc(
    Adc& adc, std::size_t channels, std::uint16_t counts_max, std::span<std::uint16_t> frame
) {
    for (std::size_t channel = 0; channel < channels; ++channel) {
        std::ranges::fill(frame, std::uint16_t{0xFFFF});
        if (!adc.read(channel, frame)) return "adc: a channel does not answer";
        if (std::ranges::max(frame) > counts_max) return "adc: a frame is not whole, or beyond";
    }
    return {};
}

// The outputs move, and end at rest: valve shut, pump off.
[[nodiscard]] inline std::string_view check_actuators(Actuators& actuators) {
    constexpr std::array<std::uint8_t, 4> positions = {0, 90, 180, 0};
    for (const std::uint8_t degrees : positions)
        actuators.set_valve_degrees(degrees);
    actuators.set_backup_pump(true);
    actuators.set_backup_pump(false);
    const auto flow = actuators.backup_flow_l_per_min();
    if (!flow) return "actuators: the flow meter does not answer";
    return *flow >= 0.0F && *flow < 1'000.0F ? "" : "actuators: a flow that no meter gives";
}

}  // namespace stator::hal
