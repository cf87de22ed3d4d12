// What every Chance promises, run over the real and the seeded one.
#include "world/chance/real.h"
#include "world/chance/seeded.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <vector>

namespace stator::chance {
namespace {

template <typename T>
std::unique_ptr<Chance> make();

template <>
std::unique_ptr<Chance> make<RealChance>() {
    return std::make_unique<RealChance>();
}

template <>
std::unique_ptr<Chance> make<SeededChance>() {
    return std::make_unique<SeededChance>(7);
}

template <typename T>
class EveryChance : public testing::Test {
  public:
    std::unique_ptr<Chance> chance = make<T>();
};

using Chances = testing::Types<RealChance, SeededChance>;
TYPED_TEST_SUITE(EveryChance, Chances);

TYPED_TEST(EveryChance, IsUniformBelowALimitThatIsNoPowerOfTwo) {
    constexpr int draws = 60'000;
    std::array<int, 6> counts{};
    for (int i = 0; i < draws; ++i) {
        ++counts.at(this->chance->below(6));
    }
    double chi_squared = 0.0;
    for (const int count : counts) {
        const double off = count - draws / 6.0;
        chi_squared += off * off / (draws / 6.0);
    }
    EXPECT_LT(chi_squared, 40.0);  // 5 degrees of freedom: exceeded once in 10^6 runs or less
}

TYPED_TEST(EveryChance, StaysInsideTheUnitIntervalAndFillsIt) {
    double low = 1.0;
    double high = 0.0;
    for (int i = 0; i < 10'000; ++i) {
        const double u = this->chance->uniform();
        ASSERT_GE(u, 0.0);
        ASSERT_LT(u, 1.0);
        low = std::min(low, u);
        high = std::max(high, u);
    }
    EXPECT_LT(low, 0.01);
    EXPECT_GT(high, 0.99);
}

TYPED_TEST(EveryChance, FillsEveryByteOfAnOddLength) {
    std::vector<std::byte> seen(37);
    for (int round = 0; round < 8; ++round) {  // each byte stays 0 in all rounds once in 2^64
        std::vector<std::byte> bytes(37);
        this->chance->fill(bytes);
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            seen[i] |= bytes[i];
        }
    }
    for (const std::byte b : seen) {
        EXPECT_NE(b, std::byte{0});
    }
}

TYPED_TEST(EveryChance, BelowOneIsZero) {
    EXPECT_EQ(this->chance->below(1), 0U);
}

TEST(SeededChanceTest, TheSameSeedGivesTheSameStreamAndAnotherSeedAnother) {
    SeededChance a{7};
    SeededChance b{7};
    SeededChance c{8};
    const std::uint64_t first = a.next_u64();
    EXPECT_EQ(first, b.next_u64());
    EXPECT_NE(first, c.next_u64());
}

TEST(SeededChanceTest, IsTheGeneratorOfItsPaper) {
    // splitmix64 from 0 begins e220a8397b1dcdaf 6e789e6aa1b965f4 06c45d188009454f f88bb8a8724c81ec
    // (its published vector); the first xoshiro256** output is rotl(s1 * 5, 7) * 9.
    SeededChance chance{0};
    EXPECT_EQ(chance.next_u64(), 0x99ec5f36cb75f2b4U);
}

}  // namespace
}  // namespace stator::chance
