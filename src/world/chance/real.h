// RealChance is the kernel's generator (getrandom), fit for keys.
#pragma once

#include "world/chance/chance.h"

namespace stator::chance {

class RealChance final : public Chance {
  public:
    void fill(std::span<std::byte> bytes) override;
};

}  // namespace stator::chance
