// A Zone is what ISO 20816 says of a machine by the velocity RMS of its vibration.
//
// The limits are the asset's (asset::ZoneLimits). One implementation for the device, the console
// and the bench: what a velocity is, is extract()'s.
#pragma once

#include "shared/asset/asset.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace stator::signal {

enum class Zone : std::uint8_t {
    none,  // no velocity is measured
    a,     // as a new machine
    b,     // fit for unrestricted long-term operation
    c,     // not for long: until the next occasion for repair
    d,     // may do damage
};

[[nodiscard]] constexpr Zone zone_of(float velocity_mm_per_s, const asset::ZoneLimits& limits) {
    if (!(velocity_mm_per_s >= 0.0F)) return Zone::none;  // NaN: it is missing
    if (velocity_mm_per_s < limits.b_mm_per_s) return Zone::a;
    if (velocity_mm_per_s < limits.c_mm_per_s) return Zone::b;
    return velocity_mm_per_s < limits.d_mm_per_s ? Zone::c : Zone::d;
}

struct Vibration {
    float velocity_mm_per_s = 0.0F;  // RMS
    Zone zone = Zone::none;
};

// Of the channel that shakes most; of an asset without a velocity_rms: none. `features` are the
// asset's, NaN where one is missing.
[[nodiscard]] constexpr Vibration vibration_of(
    const asset::Asset& asset, std::span<const float> features
) {
    Vibration made;
    for (std::size_t i = 0; i < asset.features.size(); ++i) {
        if (asset.features[i].statistic != asset::Statistic::velocity_rms) continue;
        const Zone zone = zone_of(features[i], asset.zones);
        if (zone == Zone::none || features[i] < made.velocity_mm_per_s) continue;
        made = {.velocity_mm_per_s = features[i], .zone = zone};
    }
    return made;
}

[[nodiscard]] constexpr std::string_view name_of(Zone zone) {
    constexpr std::string_view letters = "ABCD";
    return zone == Zone::none ? "" : letters.substr(static_cast<std::size_t>(zone) - 1, 1);
}

}  // namespace stator::signal
