// Gaps are the numbers of one speaker that have not come, as ranges within its boots.
//
// Bounded: beyond `gaps_max` the range of the oldest boot and lowest number is forgotten, and so
// stays missing for good.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace stator::stream {

struct Gap {
    std::uint32_t boot = 0;
    std::uint64_t from = 0;
    std::uint64_t to = 0;  // both are in it
};

class Gaps {
  public:
    explicit Gaps(std::size_t gaps_max) : gaps_max_{gaps_max} {}

    void add(const Gap& gap);
    // Takes from..to out; how many of them were in.
    std::uint64_t take(const Gap& gap);
    [[nodiscard]] bool has(std::uint32_t boot, std::uint64_t number) const;
    void forget_before(std::uint32_t boot);

    [[nodiscard]] const std::vector<Gap>& all() const { return gaps_; }

  private:
    std::size_t gaps_max_;
    std::vector<Gap> gaps_;  // rising, apart from each other
};

}  // namespace stator::stream
