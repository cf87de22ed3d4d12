// Try shows what a device's sensors give: raw counts and the physical value that is made of them.
#pragma once

#include "sense/hal/machine.h"
#include "shared/asset/asset.h"
#include "world/clock/clock.h"

#include <string>

namespace stator::parts {

// One line a channel: its counts' least, mean and most, its primary value with the unit, and what
// is wrong with the sensor, if something is. Then its further features, and the zone of the
// vibration. Features that need a long window take five seconds.
[[nodiscard]] std::string try_channels(
    clock::Clock& clock, hal::Adc& adc, const asset::Asset& asset
);

}  // namespace stator::parts
