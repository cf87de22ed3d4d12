#include "sense/node/shed.h"

#include <gtest/gtest.h>

namespace stator::node {
namespace {

TEST(Shed, RangesThatTouchBecomeOneAndTheNearestDoWhenThereAreTooMany) {
    Shed shed;
    for (const std::uint64_t seq : {10U, 30U, 11U, 50U, 9U, 70U, 31U})
        shed.add(seq, seq);
    shed.add(54, 55);  // a fifth: joins 50
    const auto is = [&](std::uint64_t from, std::uint64_t to) {
        const auto range = shed.take();
        EXPECT_EQ(range.from, from);
        EXPECT_EQ(range.to, to);
    };
    is(9, 11);
    is(30, 31);
    is(50, 55);
    is(70, 70);
    EXPECT_TRUE(shed.empty());
}

}  // namespace
}  // namespace stator::node
