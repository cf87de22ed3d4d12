// commission() makes the order of a lock-step run: the motor's own level-1 model, trained on its
// first minutes by the code that trains in the field, and its manifest, signed for tests alone.
#pragma once

#include "world/outcome/outcome.h"

#include <cstdint>
#include <string>

namespace stator::stand {

struct Wish {
    std::uint64_t seed = 7;
    std::uint32_t interval_ms = 100;  // between readings
    std::uint32_t frames = 30'000;    // of proof::frame_samples: ten minutes and a little
};

// The bytes of proof::Order.
[[nodiscard]] Outcome<std::string> commission(const Wish& wish);

}  // namespace stator::stand
