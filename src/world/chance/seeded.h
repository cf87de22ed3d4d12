// SeededChance follows from its seed alone: the simulation's randomness, and no use for keys.
//
// xoshiro256** (Blackman, Vigna 2018, prng.di.unimi.it), its state filled by splitmix64. fill()
// takes whole 64-bit words, low byte first, so the stream is the same on every machine.
#pragma once

#include "world/chance/chance.h"

#include <array>

namespace stator::chance {

class SeededChance final : public Chance {
  public:
    explicit SeededChance(std::uint64_t seed);
    void fill(std::span<std::byte> bytes) override;

  private:
    std::uint64_t step();

    std::array<std::uint64_t, 4> state_{};
};

}  // namespace stator::chance
