// A factory Page is what a device without a file system is given once: who it is, and for what.
//
// It lies in a part of the flash that the running device only reads:
//
//   | magic u32 | bytes u32 | crc32c u32 of what follows | 5 fields |      little endian
//   field: | bytes u32 | content, then a zero byte, which counts |
//
// The fields are the facts (JSON), and as PEM the site's CA, the device's certificate, its key, and
// the key that signs models. The texts are used where they lie. Format:
// docs/formats/factory-page.md.
#pragma once

#include "shared/asset/asset.h"
#include "shared/base/fixed.h"
#include "shared/base/result.h"
#include "shared/wire/topics.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace stator::factory {

inline constexpr std::size_t page_bytes_max = 16U << 10U;
inline constexpr std::size_t host_bytes_max = 63;
inline constexpr std::size_t assigned_max = 8;

struct Facts {
    asset::Asset asset;
    base::FixedString<host_bytes_max> host;  // the name in the site's certificates
    std::array<std::uint8_t, 4> address{};   // where it is: the device asks no name server
    std::uint16_t mqtt_port = 0;
    std::uint16_t devices_port = 0;
    std::uint16_t models_port = 0;
    std::uint16_t time_port = 123;
    std::int64_t unix_s_min = 0;  // no time before this one is believed
    std::uint32_t interval_ms = 1'000;
    std::uint32_t waveform_interval_s = 0;  // 0: only with an alarm, or asked for
};

// A device that a level-2 board judges; its asset's bands of severity.
struct Assigned {
    wire::Id device;
    float severity_potential = 0.5F;
    float severity_imminent = 0.8F;
};

using AssignedDevices = base::FixedVector<Assigned, assigned_max>;

struct Page {
    Facts facts;
    std::string_view facts_json;  // as read; nothing to be written
    std::string_view ca_pem;      // without the zero byte that is behind it
    std::string_view certificate_pem;
    std::string_view key_pem;
    std::string_view model_public_pem;
};

// The bytes of the page in `into`; Fault::full when they do not fit. `topics`: what the site calls
// its four. `assigned`: of a level-2 board, whose own id is the asset's device and whose asset is
// what all of them are.
[[nodiscard]] base::Result<std::span<const std::byte>> write_page(
    const Page& page,
    std::span<std::byte> into,
    const AssignedDevices& assigned = {},
    const wire::Topics& topics = {}
);
// Fault::not_found when there is none, Fault::corrupt when it is damaged, Fault::bad_input when it
// is whole and says what cannot be. The Page points into `flash`.
[[nodiscard]] base::Result<Page> read_page(std::span<const std::byte> flash);
// Of a page that was read; the default names where it says none.
[[nodiscard]] wire::Topics read_topics(const Page& page);
// Of a page that was read. Fault::not_found when it is no level-2 board's.
[[nodiscard]] base::Result<AssignedDevices> read_assigned(const Page& page);

}  // namespace stator::factory
