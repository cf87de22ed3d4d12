// Chance is what the board draws random numbers from: it has no source of its own, so the host's
// stands in for the chip's generator, by semihosting.
#pragma once

#include "sense/hal/board.h"

#include <cstddef>
#include <cstdint>

namespace stator::cortex_m {

[[nodiscard]] bool random_bytes(std::uint8_t* bytes, std::size_t count);

class Entropy final : public hal::Entropy {
  public:
    std::uint32_t next() override;
};

}  // namespace stator::cortex_m
