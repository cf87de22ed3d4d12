#include "shared/asset/asset.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>

namespace stator::asset {
namespace {

TEST(Asset, TheReferenceMotorHasTheContractsChannelsInItsOrder) {
    const Asset asset = shaded_pole_motor();
    ASSERT_EQ(asset.channels.size(), 4U);
    const char* names[] = {"current", "temperature", "vibration", "sound"};
    for (std::size_t i = 0; i < 4; ++i) {
        EXPECT_EQ(asset.channels[i].name.view(), names[i]);
        EXPECT_EQ(feature_name(asset, i).view(), names[i]);
    }
    EXPECT_EQ(feature_name(asset, 4).view(), "vibration_crest");
    EXPECT_EQ(asset.mode, Mode::observe);
}

TEST(Asset, EveryFeatureHasANameOfItsOwn) {
    const Asset asset = shaded_pole_motor();
    std::set<std::string> names;
    for (std::size_t i = 0; i < asset.features.size(); ++i)
        names.insert(std::string{feature_name(asset, i).view()});
    EXPECT_EQ(names.size(), asset.features.size());
}

TEST(Asset, TheFeatureSetsHashFollowsNamesAndOrder) {
    const Asset asset = shaded_pole_motor();
    Asset other = asset;
    EXPECT_EQ(feature_set_hash(asset), feature_set_hash(other));
    std::swap(other.features[4], other.features[5]);
    EXPECT_NE(feature_set_hash(asset), feature_set_hash(other));
    other = asset;
    other.channels[2].name = "shaking";
    EXPECT_NE(feature_set_hash(asset), feature_set_hash(other));
}

TEST(Asset, ConditionMonitoringIsTheMotorAndWhatItsCurrentSaysOfItsRotor) {
    const Asset motor = shaded_pole_motor();
    const Asset asset = condition_monitoring();
    ASSERT_EQ(asset.features.size(), motor.features.size() + 4);
    EXPECT_EQ(feature_name(asset, 15).view(), "current_slip_sideband_db");
    EXPECT_EQ(unit_of(asset, 15), "dB");
    EXPECT_EQ(unit_of(asset, 9), "mm/s");
    EXPECT_EQ(unit_of(asset, 13), "A");
    EXPECT_TRUE(needs_long_window(asset, 0));
    EXPECT_FALSE(needs_long_window(asset, 2));
    EXPECT_FALSE(needs_long_window(motor, 0));
}

TEST(Asset, TheReferenceProfileHasTheContractsChannelsAndTheirPeaks) {
    const Asset asset = reference();
    std::string names;
    for (std::size_t i = 0; i < asset.features.size(); ++i)
        names += std::string{feature_name(asset, i).view()} + ' ';
    EXPECT_EQ(
        names,
        "current temperature vibration sound current_peak_hz vibration_peak_hz sound_peak_hz "
    );
    EXPECT_EQ(asset.channels[2].sampling, Sampling::reference);
    EXPECT_EQ(asset.channels[1].sampling, Sampling::slow);
}

TEST(Asset, EveryStatisticHasANameOfItsOwnAndASamplingThatOffersIt) {
    std::set<std::string_view> names;
    for (int i = 0; i <= static_cast<int>(Statistic::slip_sideband_db); ++i) {
        const auto statistic = static_cast<Statistic>(i);
        names.insert(name_of(statistic));
        EXPECT_TRUE(offers(Sampling::waveform, statistic));
        EXPECT_EQ(offers(Sampling::slow, statistic), i <= static_cast<int>(Statistic::kurtosis));
        EXPECT_EQ(
            offers(Sampling::reference, statistic), i <= static_cast<int>(Statistic::peak_hz)
        );
    }
    EXPECT_EQ(names.size(), 14U);
    EXPECT_FALSE(names.contains("unknown"));
}

// The reference's design formula: full scale is what fills half the rail at its peak. Without the
// extra passes, 100 A RMS is 141.4 A peak, 64.3 mA through 25.78 ohm, 1.657 V: half of 3.3 V.
TEST(Asset, TheClampsBurdenFillsHalfTheRailAtFullScale) {
    const double peak_v = 100.0 * std::sqrt(2.0) / 2200.0 * 25.78;
    EXPECT_NEAR(peak_v, 3.3 / 2.0, 0.01);
    const Channel current = shaded_pole_motor().channels[0];
    const double full_scale_a =
        static_cast<double>(current.calibration.unit_per_count) * 2048.0 / std::sqrt(2.0);
    EXPECT_NEAR(full_scale_a, 100.0 / 20.0, 0.05);
}

}  // namespace
}  // namespace stator::asset
