#include "learn/drift/drift.h"

#include <gmock/gmock.h>

#include <random>

namespace stator::drift {
namespace {

using runs::Row;

class DriftTest : public testing::Test {
  protected:
    std::vector<Row> take(std::size_t count, float shift_sd = 0.0F, float spread = 1.0F) {
        std::vector<Row> rows;
        for (std::size_t r = 0; r < count; ++r) {
            wander_ = 0.95F * wander_ + 0.312F * normal_(random_);
            Row row;
            for (std::size_t i = 0; i < motor.features.size(); ++i)
                row.features.push_back(
                    2.0F + 0.3F * (spread * (normal_(random_) + 0.5F * wander_) +
                                   (i == 2 ? shift_sd : 0.0F))
                );
            rows.push_back(std::move(row));
        }
        return rows;
    }

    static std::vector<Row> joined(std::vector<Row> a, const std::vector<Row>& b) {
        a.insert(a.end(), b.begin(), b.end());
        return a;
    }

    asset::Asset motor = asset::shaded_pole_motor();
    std::mt19937 random_{3};
    std::normal_distribution<float> normal_{0.0F, 1.0F};
    float wander_ = 0.0F;
};

TEST_F(DriftTest, QuietWindowsAreNoDrift) {
    const auto reference = take(240);
    for (int i = 0; i < 40; ++i) {
        const Finding finding = compare(motor, reference, take(240), {});
        EXPECT_EQ(finding.kind, Kind::none) << finding.text;
    }
}

TEST_F(DriftTest, AShiftOfOneFeatureIsNamed) {
    const auto reference = take(240);
    const Finding finding = compare(motor, reference, take(240, 6.0F), {});
    EXPECT_EQ(finding.kind, Kind::drifted) << finding.text;
    EXPECT_THAT(finding.features, testing::ElementsAre("vibration"));
    EXPECT_THAT(finding.text, testing::HasSubstr("vibration by"));
}

TEST_F(DriftTest, WhatOnlyTheNewerHalfShowsIsNotYetDrift) {
    const auto reference = take(240);
    const auto fresh = joined(take(120), take(120, 6.0F));
    EXPECT_EQ(compare(motor, reference, fresh, {}).kind, Kind::unsettled);
    const auto passing = joined(take(120, 6.0F), take(120));
    EXPECT_EQ(compare(motor, reference, passing, {}).kind, Kind::none);
}

TEST_F(DriftTest, AMachineWithTwoStatesMayBeInEither) {
    const auto reference = joined(take(240), take(240, 6.0F));
    EXPECT_EQ(compare(motor, reference, take(240), {}).kind, Kind::none);
    EXPECT_EQ(compare(motor, reference, take(240, 6.0F), {}).kind, Kind::none);
    EXPECT_EQ(compare(motor, reference, take(240, 30.0F), {}).kind, Kind::drifted);
}

TEST_F(DriftTest, WithoutAReferenceItIsCommissioningAndWithFewRowsNoStatement) {
    EXPECT_EQ(compare(motor, {}, take(100), {}).kind, Kind::commissioning);
    EXPECT_EQ(compare(motor, {}, take(99), {}).kind, Kind::too_few);
    EXPECT_EQ(compare(motor, take(240), take(99, 6.0F), {}).kind, Kind::too_few);
}

}  // namespace
}  // namespace stator::drift
