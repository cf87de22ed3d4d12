// A factory image is the flash of a board as it leaves the factory: erased, with its factory page.
//
// 16 MiB, as the emulated board's; the page lies at 4 MiB. Writing it into an image that is there
// changes only the page: what the device keeps stays. A firmware is written as the factory's, into
// the first slot; whatever ran before is forgotten then. A model is what the board falls back to:
// it lies behind the page, where no update writes.
#pragma once

#include "sense/factory/page.h"
#include "sense/port/cortex_m/memory.h"
#include "sense/port/host/provisioning.h"
#include "shared/asset/asset.h"
#include "world/doors/doors.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace stator::host {

// Of a packed firmware.
inline constexpr std::size_t firmware_bytes_max = cortex_m::firmware_slot_bytes;

struct FactoryFacts {
    asset::Asset asset;
    std::string site_name = "localhost";  // in the services' certificates
    std::array<std::uint8_t, 4> address = {10, 0, 2, 2};
    std::uint16_t devices_port = 30006;
    std::uint16_t models_port = 30007;
    std::uint16_t time_port = 123;
    std::uint32_t interval_ms = 1'000;
    std::uint32_t waveform_interval_s = 0;
    wire::Topics topics;
    std::string firmware;                 // packed; empty: the board has one
    std::string model;                    // of make_factory_model(); empty: what is there stays
    factory::AssignedDevices assigned{};  // of a level-2 board
};

[[nodiscard]] Outcome<void> write_factory_image(
    doors::Doors& doors,
    const Provisioning& provisioning,
    const Credential& credential,
    const FactoryFacts& facts,
    const std::string& file
);

}  // namespace stator::host
