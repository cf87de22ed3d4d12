// trust_conformance.h is what a port must do whose models are checked and whose program is
// replaced: its verifier, its firmware's flash, its watchdog. As conformance.h.
#pragma once

#include "sense/hal/conformance.h"
#include "sense/hal/firmware.h"
#include "shared/bundle/manifest.h"
#include "shared/firmware/image.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace stator::hal {

// `bytes` bear this signature of the key that the verifier knows, and are at most 8 KiB.
[[nodiscard]] inline std::string_view check_verifier(
    bundle::Verifier& verifier,
    std::string_view bytes,
    std::span<const std::uint8_t, 64> signature,
    std::span<char> room  // as much as `bytes`
) {
    // FIPS 180-4's examples: one block, and a padding that needs another.
    struct Known {
        std::string_view text;
        std::array<std::uint8_t, 4> begin;
    };

    constexpr std::array known = {
        Known{"", {0xE3, 0xB0, 0xC4, 0x42}},
        Known{"abc", {0xBA, 0x78, 0x16, 0xBF}},
        Known{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", {0x24, 0x8D, 0x6A, 0x61}},
    };
    std::array<std::uint8_t, 32> digest{};
    for (const Known& one : known) {
        verifier.sha256(std::as_bytes(std::span{one.text.data(), one.text.size()}), digest);
        if (!std::ranges::equal(std::span{digest}.first(4), one.begin))
            return "verifier: SHA-256 is another hash";
    }
    if (!verifier.verify(bytes, signature)) return "verifier: a right signature is refused";
    for (const std::size_t at : {std::size_t{0}, bytes.size() / 2, bytes.size() - 1}) {
        std::ranges::copy(bytes, room.begin());
        room[at] = static_cast<char>(room[at] ^ 1);
        if (verifier.verify({room.data(), bytes.size()}, signature))
            return "verifier: changed bytes are taken";
    }
    if (verifier.verify(bytes.substr(1), signature) ||
        verifier.verify(bytes.substr(0, bytes.size() - 1), signature))
        return "verifier: a part is taken for all";
    std::array<std::uint8_t, 64> other{};
    const auto refused = [&] { return !verifier.verify(bytes, other); };
    if (!refused()) return "verifier: a signature of zeros is taken";
    other.fill(0xFF);
    if (!refused()) return "verifier: numbers beyond the curve's order are taken";
    for (const std::size_t at : {0U, 31U, 32U, 63U}) {  // of r and of s
        std::ranges::copy(signature, other.begin());
        other[at] ^= 0x10;
        if (!refused()) return "verifier: a changed signature is taken";
    }
    std::ranges::copy(signature, other.begin());
    std::ranges::rotate(other, other.begin() + 32);
    return refused() ? "" : "verifier: s is taken for r";
}

// What lies in the flash's sectors 1 and 2 is lost.
[[nodiscard]] inline std::string_view check_firmware(Firmware& firmware) {
    Flash& flash = firmware.flash();
    if (const auto broken = check_flash([&]() -> Flash& { return flash; }); !broken.empty())
        return broken;
    const std::size_t sector = flash.sector_bytes();
    const std::size_t slots = flash.size_bytes() - 2 * sector;
    if (slots % (2 * sector) != 0) return "firmware: no log of two sectors and two equal slots";
    const std::size_t offset = firmware.image_offset();
    if (offset < firmware::header_bytes || offset % flash_program_bytes != 0 || offset >= slots / 2)
        return "firmware: an image's header has no place before it";
    firmware::Board name;
    if (firmware.board().empty() || !name.assign(firmware.board()))
        return "firmware: no image can name this board";
    return &firmware.flash() == &flash ? "" : "firmware: its flash is another one each time";
}

// Fed in time it does nothing. `pass` lets this long pass; what is not fed is another test's.
template <typename Pass>
[[nodiscard]] std::string_view check_watchdog(
    Watchdog& watchdog, std::int64_t period_us, Pass&& pass
) {
    constexpr int parts = 4;
    for (int i = 0; i < parts + 1; ++i) {  // longer than it would bear without
        watchdog.feed();
        pass(period_us / parts);
    }
    watchdog.feed();
    return {};
}

}  // namespace stator::hal
