#include "shared/suspect/suspect.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace stator::suspect {
namespace {

// The motor's features, all at rest but those that are named.
std::vector<float> moved(
    const asset::Asset& asset, const std::map<std::string, float, std::less<>>& by_sd
) {
    std::vector<float> made(asset.features.size());
    std::size_t placed = 0;
    for (std::size_t i = 0; i < made.size(); ++i)
        if (const auto it = by_sd.find(asset::feature_name(asset, i).view()); it != by_sd.end()) {
            made[i] = it->second;
            ++placed;
        }
    EXPECT_EQ(placed, by_sd.size());
    return made;
}

std::string suspected(const std::map<std::string, float, std::less<>>& by_sd) {
    const asset::Asset motor = asset::shaded_pole_motor();
    return std::string{name_of(suspect(motor, moved(motor, by_sd)))};
}

TEST(Suspect, EachKindOfFaultHasASignThatTheOthersHaveNot) {
    EXPECT_EQ(suspected({{"vibration_band_high", 9}, {"vibration_kurtosis", 4}}), "bearing-wear");
    EXPECT_EQ(suspected({{"vibration_velocity_rms", 9}, {"vibration_band_low", 4}}), "imbalance");
    EXPECT_EQ(suspected({{"current", 8}, {"temperature", 5}}), "overload");
    EXPECT_EQ(suspected({{"current", -8}, {"sound_band_high", 5}}), "blocked-flow");
}

TEST(Suspect, TheDirectionAndHowFarCount) {
    EXPECT_EQ(suspected({{"current", -8}, {"temperature", 5}}), "unclear");
    EXPECT_EQ(suspected({{"current", 8}, {"sound_band_high", 5}}), "unclear");
    EXPECT_EQ(suspected({{"current", 2.9F}, {"temperature", 5}}), "unclear");
    EXPECT_EQ(suspected({{"vibration_band_high", -9}, {"vibration_kurtosis", 4}}), "unclear");
}

TEST(Suspect, StrikesAreNoImbalanceAndAChangedLoadIsNoBearing) {
    EXPECT_EQ(
        suspected(
            {{"vibration_velocity_rms", 9}, {"vibration_band_low", 9}, {"vibration_kurtosis", 4}}
        ),
        "unclear"
    );
    EXPECT_EQ(
        suspected({{"vibration_band_high", 9}, {"vibration_kurtosis", 4}, {"current", 4}}),
        "unclear"
    );
}

TEST(Suspect, BroadNoiseThatIsAsLoudInTheAirIsNoBearing) {
    EXPECT_EQ(
        suspected({{"vibration_band_high", 9}, {"vibration_kurtosis", 4}, {"sound_band_high", 4.4F}}
        ),
        "bearing-wear"
    );
    EXPECT_EQ(
        suspected({{"vibration_band_high", 9}, {"vibration_kurtosis", 4}, {"sound_band_high", 4.6F}}
        ),
        "unclear"
    );
}

TEST(Suspect, WhereNothingOrTwoThingsSpeakItIsUnclear) {
    EXPECT_EQ(suspected({}), "unclear");
    EXPECT_EQ(
        suspected({{"vibration_band_high", 9}, {"vibration_kurtosis", 4}, {"temperature", 9}}),
        "bearing-wear"
    );
    asset::Asset pump = asset::shaded_pole_motor();
    asset::Channel flow;
    flow.name = "flow";
    ASSERT_TRUE(pump.channels.push_back(flow));
    ASSERT_TRUE(pump.features.push_back({.channel = 4, .statistic = asset::Statistic::mean}));
    EXPECT_EQ(name_of(suspect(pump, moved(pump, {{"flow", -6}}))), "blocked-flow");
    EXPECT_EQ(
        suspect(pump, moved(pump, {{"flow", -6}, {"current", -6}, {"sound_band_high", 6}})),
        Suspicion::blocked_flow_metered
    );
    EXPECT_EQ(
        suspect(pump, moved(pump, {{"flow", -6}, {"current", 6}, {"temperature", 6}})),
        Suspicion::unclear
    );
}

TEST(Suspect, AMachineWithoutTheChannelsHasNoSuspicion) {
    asset::Asset tank;
    asset::Channel level;
    level.name = "level";
    ASSERT_TRUE(tank.channels.push_back(level));
    ASSERT_TRUE(tank.features.push_back({.channel = 0, .statistic = asset::Statistic::mean}));
    EXPECT_EQ(suspect(tank, std::vector{12.0F}), Suspicion::unclear);
}

TEST(Suspect, SaysWhatItRestsOn) {
    EXPECT_EQ(
        evidence_of(Suspicion::bearing_wear).view(), "vibration_band_high up, vibration_kurtosis up"
    );
    EXPECT_EQ(evidence_of(Suspicion::blocked_flow).view(), "current down, sound_band_high up");
    EXPECT_EQ(evidence_of(Suspicion::blocked_flow_metered).view(), "flow down");
    EXPECT_EQ(evidence_of(Suspicion::unclear).view(), "");
    EXPECT_EQ(name_of(Suspicion::none), "");
}

}  // namespace
}  // namespace stator::suspect
