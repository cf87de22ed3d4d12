// A Suspicion says which kind of fault the measurements speak for, by a table of rules.
//
// It knows only how far each feature has moved from the machine's own healthy mean, in standard
// deviations, and in which direction. A rule names what one kind of fault does to a motor and its
// pump and the others do not (docs/architecture.md); none or several that hold: `unclear`. It is a
// suspicion, said with what it rests on, and decides nothing.
#pragma once

#include "shared/asset/asset.h"
#include "shared/base/fixed.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace stator::suspect {

enum class Suspicion : std::uint8_t {
    none,  // nobody asked: there is no alarm
    unclear,
    bearing_wear,
    imbalance,
    overload,
    blocked_flow,          // shown by current and noise
    blocked_flow_metered,  // by a flow meter
};

inline constexpr float moved_sd = 3.0F;  // less is no evidence

// `deviation_sd`: one for each of the asset's features. A rule whose channels it has not got does
// not hold.
[[nodiscard]] Suspicion suspect(const asset::Asset& asset, std::span<const float> deviation_sd);

// "bearing-wear", "imbalance", "overload", "blocked-flow", "unclear"; empty for none.
[[nodiscard]] std::string_view name_of(Suspicion suspicion);

// What it rests on: "vibration_kurtosis up, vibration_band_high up".
[[nodiscard]] base::FixedString<160> evidence_of(Suspicion suspicion);

}  // namespace stator::suspect
