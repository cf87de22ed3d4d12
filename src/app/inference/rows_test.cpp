#include "app/inference/rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stator::inference {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Rows, AreReadLineByLineAndEmptyOnesPassedOver) {
    const auto values = read_values("1.5, -2e-3\r\n\n 0,7", 2, "in.csv");
    ASSERT_TRUE(values) << values.error().what;
    EXPECT_THAT(*values, ElementsAre(1.5F, -2e-3F, 0.0F, 7.0F));
    const auto steps = read_steps("-128,127\n0,-1\n", 2, "in.csv");
    ASSERT_TRUE(steps) << steps.error().what;
    EXPECT_THAT(*steps, ElementsAre(-128, 127, 0, -1));
    EXPECT_TRUE(read_values("", 3, "in.csv")->empty());
}

TEST(Rows, WhatIsWrongIsNamedByFileAndLine) {
    const auto what = [](auto outcome) { return outcome ? "none" : outcome.error().what; };
    EXPECT_THAT(what(read_values("1,2\n3\n", 2, "in.csv")), HasSubstr("in.csv:2: 1 numbers"));
    EXPECT_THAT(what(read_values("1,2,\n", 2, "in.csv")), HasSubstr("in.csv:1: 3 numbers"));
    EXPECT_THAT(what(read_values("1,two\n", 2, "in.csv")), HasSubstr("'two' is no number"));
    EXPECT_THAT(what(read_values("1,\n", 2, "in.csv")), HasSubstr("'' is no number"));
    EXPECT_THAT(what(read_values("inf\n", 1, "in.csv")), HasSubstr("not finite"));
    EXPECT_THAT(what(read_values("1e99\n", 1, "in.csv")), HasSubstr("no number"));
    EXPECT_THAT(what(read_steps("1\n128\n", 1, "in.csv")), HasSubstr("in.csv:2: 128 is no int8"));
    EXPECT_THAT(what(read_steps("0.5\n", 1, "in.csv")), HasSubstr("no number"));
}

TEST(Rows, ReadBackAsTheSameFloats) {
    const std::vector<float> row{0.1F, -1.0e-38F, 16777217.0F, 3.4028235e38F};
    std::string text;
    write_row(text, row);
    const auto again = read_values(text, row.size(), "out.csv");
    ASSERT_TRUE(again) << again.error().what;
    EXPECT_EQ(*again, row);
    std::string steps;
    write_row(steps, std::vector<std::int8_t>{-128, 5});
    EXPECT_EQ(steps, "-128,5\n");
}

}  // namespace
}  // namespace stator::inference
