// backoff_us() is how long a client waits before it connects again: doubled each time, jittered.
//
// Full jitter between half the step and the step, so that a fleet that lost its broker at one time
// does not come back at one time.
#pragma once

#include "world/chance/chance.h"

#include <algorithm>
#include <cstdint>

namespace stator::mqtt {

[[nodiscard]] inline std::int64_t backoff_us(
    int failures, std::int64_t us_min, std::int64_t us_max, chance::Chance& chance
) {
    const std::int64_t step = std::min(us_max, us_min << std::clamp(failures - 1, 0, 20));
    return step / 2 +
           static_cast<std::int64_t>(chance.below(static_cast<std::uint64_t>(step / 2) + 1));
}

}  // namespace stator::mqtt
