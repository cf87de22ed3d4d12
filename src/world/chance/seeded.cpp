#include "world/chance/seeded.h"

#include <bit>

namespace stator::chance {

SeededChance::SeededChance(std::uint64_t seed) {
    for (std::uint64_t& word : state_) {
        seed += 0x9e3779b97f4a7c15U;
        std::uint64_t z = seed;
        z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
        z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
        word = z ^ (z >> 31U);
    }
}

std::uint64_t SeededChance::step() {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t t = state_[1] << 17U;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return result;
}

void SeededChance::fill(std::span<std::byte> bytes) {
    for (std::size_t i = 0; i < bytes.size();) {
        std::uint64_t word = step();
        for (int k = 0; k < 8 && i < bytes.size(); ++k, ++i, word >>= 8U) {
            bytes[i] = static_cast<std::byte>(word & 0xffU);
        }
    }
}

}  // namespace stator::chance
