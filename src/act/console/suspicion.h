// suspicion_of() says in words what the alarms that last are suspected to come of, and by what.
#pragma once

#include <string>

namespace stator::console {

// `episodes`: a JSON array of Episode (web/src/overview.ts), newest first.
//   "bearing wear suspected (vibration band high up, vibration kurtosis up)"
//   "a fault is suspected, cause unclear (mostly vibration crest)"
[[nodiscard]] std::string suspicion_of(const std::string& episodes);

// "vibration_band_high" and "bearing-wear" as people read them.
[[nodiscard]] std::string spaced(std::string name);

}  // namespace stator::console
