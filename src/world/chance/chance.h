// Chance is the door through which randomness comes in.
//
// The real one is the kernel's generator, fit for keys. The simulated one follows from a seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace stator::chance {

class Chance {
  public:
    virtual ~Chance() = default;
    virtual void fill(std::span<std::byte> bytes) = 0;
    [[nodiscard]] std::uint64_t next_u64();                  // uniform
    [[nodiscard]] std::uint64_t below(std::uint64_t limit);  // uniform in [0, limit)
    [[nodiscard]] double uniform();                          // [0, 1)
};

}  // namespace stator::chance
