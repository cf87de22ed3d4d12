#include "world/kafka/under_way.h"

#include <gmock/gmock.h>

#include <map>
#include <random>
#include <vector>

namespace stator::kafka {
namespace {

using testing::ElementsAre;

TEST(UnderWay, GivesEachOnceInWhateverOrderTheAnswersCome) {
    UnderWay<int> under_way;
    for (const std::uint64_t id : {3U, 4U, 7U, 9U})
        under_way.add(id, static_cast<int>(id) * 10);
    EXPECT_EQ(under_way.take(7), 70);
    EXPECT_EQ(under_way.take(7), std::nullopt);
    EXPECT_EQ(under_way.take(5), std::nullopt);
    EXPECT_EQ(under_way.oldest(), 30);
    EXPECT_EQ(under_way.take(3), 30);
    EXPECT_EQ(under_way.take(4), 40);
    EXPECT_EQ(under_way.oldest(), 90);
    std::vector<std::uint64_t> left;
    under_way.clear([&](std::uint64_t id) { left.push_back(id); });
    EXPECT_THAT(left, ElementsAre(9));
    EXPECT_TRUE(under_way.empty());
}

TEST(UnderWay, AgreesWithAMap) {
    std::mt19937_64 random{7};
    UnderWay<std::uint64_t> under_way;
    std::map<std::uint64_t, std::uint64_t> reference;
    for (std::uint64_t id = 1; id < 20'000; id += 1 + random() % 2) {
        under_way.add(id, id * 3);
        reference[id] = id * 3;
        while (random() % 3 != 0) {
            const std::uint64_t asked = id - std::min(id, random() % 20);
            const auto found = reference.find(asked);
            ASSERT_EQ(under_way.take(asked).has_value(), found != reference.end());
            if (found != reference.end()) reference.erase(found);
            ASSERT_EQ(under_way.empty(), reference.empty());
            if (!reference.empty()) {
                ASSERT_EQ(under_way.oldest(), reference.begin()->second);
            }
        }
    }
    std::vector<std::uint64_t> left;
    under_way.clear([&](std::uint64_t id) { left.push_back(id); });
    ASSERT_EQ(left.size(), reference.size());
}

}  // namespace
}  // namespace stator::kafka
