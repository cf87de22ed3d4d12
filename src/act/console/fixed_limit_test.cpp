#include "act/console/fixed_limit.h"

#include <gtest/gtest.h>

namespace stator::console {
namespace {

void read(FixedLimit& limit, double value, int times, std::int64_t& unix_ms) {
    for (int i = 0; i < times; ++i)
        limit.on_reading({{"current", value}}, ++unix_ms);
}

TEST(FixedLimit, AQuarterAboveTheBaselineIsAnEventAndASixthIsNot) {
    FixedLimit limit{10};
    std::int64_t unix_ms = 0;
    read(limit, 1.0, 10, unix_ms);
    read(limit, 1.2, 50, unix_ms);
    EXPECT_TRUE(limit.events().empty());
    read(limit, 1.3, 3, unix_ms);
    ASSERT_EQ(limit.events().size(), 1U);
    EXPECT_EQ(limit.events()[0].channel, "current");
    EXPECT_EQ(limit.events()[0].start_unix_ms, 63);
    EXPECT_EQ(limit.events()[0].end_unix_ms, 0);
}

TEST(FixedLimit, OneWildReadingIsNoEventAndAReturnEndsIt) {
    FixedLimit limit{10};
    std::int64_t unix_ms = 0;
    read(limit, 1.0, 10, unix_ms);
    read(limit, 9.0, 2, unix_ms);
    read(limit, 1.0, 1, unix_ms);
    EXPECT_TRUE(limit.events().empty());
    read(limit, 9.0, 20, unix_ms);
    read(limit, 1.0, 10, unix_ms);
    ASSERT_EQ(limit.events().size(), 1U);
    EXPECT_GT(limit.events()[0].end_unix_ms, limit.events()[0].start_unix_ms);
}

TEST(FixedLimit, ANoisyChannelGetsSixOfItsOwnStandardDeviations) {
    FixedLimit limit{100};
    std::int64_t unix_ms = 0;
    for (int i = 0; i < 50; ++i) {
        read(limit, 0.0, 1, unix_ms);
        read(limit, 2.0, 1, unix_ms);
    }
    read(limit, 6.5, 10, unix_ms);
    EXPECT_TRUE(limit.events().empty());
    read(limit, 7.5, 3, unix_ms);
    EXPECT_EQ(limit.events().size(), 1U);
}

}  // namespace
}  // namespace stator::console
