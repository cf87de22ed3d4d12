// Try shows what a device's sensors give: raw counts and the physical value that is made of them.
#pragma once

#include "sense/hal/machine.h"
#include "shared/asset/asset.h"

#include <string>

namespace stator::parts {

// One line a channel: its counts' least, mean and most, its primary value with the unit, and what
// is wrong with the sensor, if something is.
[[nodiscard]] std::string try_channels(hal::Adc& adc, const asset::Asset& asset);

}  // namespace stator::parts
