#include "world/chance/chance.h"

#include <array>
#include <bit>
#include <cassert>

namespace stator::chance {

std::uint64_t Chance::next_u64() {
    std::array<std::byte, 8> bytes{};
    fill(bytes);
    return std::bit_cast<std::uint64_t>(bytes);
}

std::uint64_t Chance::below(std::uint64_t limit) {
    assert(limit > 0);
    // Values under 2^64 mod limit would make the low results likelier: draw again.
    const std::uint64_t biased = (0 - limit) % limit;
    std::uint64_t x = next_u64();
    while (x < biased) {
        x = next_u64();
    }
    return x % limit;
}

double Chance::uniform() {
    return static_cast<double>(next_u64() >> 11U) * 0x1.0p-53;
}

}  // namespace stator::chance
