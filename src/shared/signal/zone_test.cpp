#include "shared/signal/zone.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace stator::signal {
namespace {

TEST(Zone, TheLimitsOfASmallMachineAreThoseOfTheStandard) {
    const asset::ZoneLimits small;
    EXPECT_EQ(zone_of(0.0F, small), Zone::a);
    EXPECT_EQ(zone_of(0.70F, small), Zone::a);
    EXPECT_EQ(zone_of(0.71F, small), Zone::b);
    EXPECT_EQ(zone_of(1.79F, small), Zone::b);
    EXPECT_EQ(zone_of(1.8F, small), Zone::c);
    EXPECT_EQ(zone_of(4.49F, small), Zone::c);
    EXPECT_EQ(zone_of(4.5F, small), Zone::d);
    EXPECT_EQ(zone_of(1e6F, small), Zone::d);
    EXPECT_EQ(name_of(Zone::a), "A");
    EXPECT_EQ(name_of(Zone::d), "D");
    EXPECT_EQ(name_of(Zone::none), "");
}

TEST(Zone, WhatIsMissingIsInNone) {
    EXPECT_EQ(zone_of(std::nanf(""), {}), Zone::none);
    const asset::Asset motor = asset::shaded_pole_motor();
    std::vector<float> features(motor.features.size(), std::nanf(""));
    EXPECT_EQ(vibration_of(motor, features).zone, Zone::none);
    EXPECT_EQ(vibration_of(asset::reference(), features).zone, Zone::none);
}

TEST(Zone, AnAssetIsWhereTheChannelIsThatShakesMost) {
    asset::Asset motor = asset::shaded_pole_motor();
    asset::Channel second = motor.channels[2];
    second.name = "bearing2";
    ASSERT_TRUE(motor.channels.push_back(second));
    ASSERT_TRUE(motor.features.push_back({4, asset::Statistic::velocity_rms}));
    std::vector<float> features(motor.features.size(), 50.0F);  // of the others nothing counts
    features[9] = 0.5F;
    features[12] = 2.5F;
    EXPECT_EQ(vibration_of(motor, features).zone, Zone::c);
    EXPECT_EQ(vibration_of(motor, features).velocity_mm_per_s, 2.5F);
    features[12] = std::nanf("");
    EXPECT_EQ(vibration_of(motor, features).zone, Zone::a);
    motor.zones.b_mm_per_s = 0.4F;
    EXPECT_EQ(vibration_of(motor, features).zone, Zone::b);
}

}  // namespace
}  // namespace stator::signal
