#include "sense/node/gapless.h"

#include "shared/signal/signature.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

namespace stator::node {
namespace {

using base::Fault;
using base::Result;

// A converter that measures a mains of 50 Hz, modulated at 46 Hz, from the start of its clock on;
// what is asked late waits in its buffer.
class Converter final : public hal::Adc {
  public:
    Result<void> read(std::size_t channel, std::span<std::uint16_t> counts) override {
        ++frames;
        if (channel == 0) return std::unexpected{Fault::io};
        std::ranges::fill(counts, std::uint16_t{77});
        return {};
    }

    Result<std::size_t> follow(std::size_t channel, std::span<std::uint16_t> counts) override {
        if (channel != 0 || !streams) return std::unexpected{Fault::not_found};
        if (hole && !counts.empty()) {
            hole = false;
            return std::unexpected{Fault::closed};
        }
        const auto measured = static_cast<std::size_t>(measured_us * 13'095 / 1'000'000);
        const std::size_t count = std::min(counts.size(), measured - taken);
        for (std::size_t i = 0; i < count; ++i) {
            constexpr double turn = 2.0 * std::numbers::pi;
            const double t = static_cast<double>(taken++) / 13'095.0;
            counts[i] = static_cast<std::uint16_t>(std::lround(
                2'048.0 +
                1'500.0 * (1.0 + 0.04 * std::cos(turn * 46.0 * t)) * std::sin(turn * 50.0 * t)
            ));
        }
        most = std::max(most, count);
        return count;
    }

    std::int64_t measured_us = 0;
    std::size_t taken = 0;
    std::size_t most = 0;
    bool streams = true;
    bool hole = false;
    int frames = 0;
};

class GaplessTest : public testing::Test {
  protected:
    GaplessTest() {
        asset_ = asset::condition_monitoring();
        windows_.emplace_back(asset_.channels[0].calibration);
    }

    // Steps of a super-loop for so long; the converter measures meanwhile, unless it is dead.
    void run(Gapless& signals, std::int64_t duration_us, bool measures = true) {
        for (const std::int64_t end_us = now_us_ + duration_us; now_us_ < end_us;
             now_us_ += 20'000) {
            if (measures) converter_.measured_us += 20'000;
            signals.tend(now_us_);
        }
    }

    [[nodiscard]] std::vector<float> features_of(Gapless& signals) {
        std::vector<float> features(asset_.features.size(), -1.0F);
        std::vector<std::uint16_t> frame(signal::waveform_samples);
        EXPECT_TRUE(signals.read(0, frame));
        signals.extract(asset_, 0, frame, workspace_, features);
        return features;
    }

    static constexpr std::size_t line_hz = 12;  // features of the profile
    static constexpr std::size_t rotation = 14;

    asset::Asset asset_;
    std::vector<signal::LongWindow> windows_;
    Converter converter_;
    signal::Workspace workspace_;
    std::int64_t now_us_ = 5'000'000;
};

TEST_F(GaplessTest, FramesAndLongWindowComeFromOneSignal) {
    ASSERT_EQ(asset::feature_name(asset_, line_hz).view(), "current_line_hz");
    ASSERT_EQ(asset::feature_name(asset_, rotation).view(), "current_rotation_sideband_db");
    Gapless signals{converter_, asset_, windows_};
    EXPECT_EQ(signals.missing(), "");
    std::vector<std::uint16_t> frame(signal::waveform_samples);
    signals.tend(now_us_);
    EXPECT_EQ(signals.read(0, frame).error(), Fault::again);
    run(signals, 1'000'000);
    auto features = features_of(signals);
    EXPECT_NEAR(
        features[0], 1'500.0 * asset_.channels[0].calibration.unit_per_count * 0.7071, 0.02
    );
    EXPECT_TRUE(std::isnan(features[line_hz]));
    EXPECT_FALSE(signals.full());
    run(signals, 3'000'000);
    EXPECT_TRUE(signals.full());
    features = features_of(signals);
    EXPECT_NEAR(features[line_hz], 50.0, 0.028);
    EXPECT_NEAR(features[rotation], 20.0 * std::log10(0.04) - 3.01, 0.1);
    EXPECT_EQ(converter_.frames, 0) << "the channel was asked for a frame, which leaves a hole";
    EXPECT_TRUE(signals.read(1, frame));
    EXPECT_EQ(frame[0], 77);
}

TEST_F(GaplessTest, WhatWaitedIsCaughtUpWithoutALostSample) {
    Gapless signals{converter_, asset_, windows_};
    run(signals, 4'000'000);
    now_us_ += 700'000;  // the super-loop was elsewhere
    converter_.measured_us += 700'000;
    run(signals, 100'000);
    const auto measured = static_cast<std::size_t>(converter_.measured_us * 13'095 / 1'000'000);
    EXPECT_LE(measured - converter_.taken, 1U);
    EXPECT_NEAR(features_of(signals)[line_hz], 50.0, 0.028);
    EXPECT_LE(converter_.most, 262U);
}

TEST_F(GaplessTest, AHoleEmptiesTheWindowAndASilentSecondIsAConverterThatDoesNotAnswer) {
    Gapless signals{converter_, asset_, windows_};
    run(signals, 4'000'000);
    ASSERT_TRUE(signals.full());
    converter_.hole = true;
    run(signals, 500'000);
    EXPECT_FALSE(signals.full());
    EXPECT_TRUE(std::isnan(features_of(signals)[rotation]));
    run(signals, 4'000'000);
    EXPECT_TRUE(signals.full());
    run(signals, 900'000, false);
    std::vector<std::uint16_t> frame(signal::waveform_samples);
    EXPECT_TRUE(signals.read(0, frame));
    run(signals, 200'000, false);
    EXPECT_EQ(signals.read(0, frame).error(), Fault::io);
    run(signals, 200'000);
    EXPECT_TRUE(signals.read(0, frame));
    EXPECT_FALSE(signals.full());
}

TEST_F(GaplessTest, AFileThatCouldGiveAllAtOnceIsTakenAtItsPace) {
    Gapless signals{converter_, asset_, windows_};
    converter_.measured_us = 3'600'000'000;
    run(signals, 2'000'000);
    EXPECT_NEAR(static_cast<double>(converter_.taken), 2.0 * 13'095, 0.03 * 13'095);
}

TEST_F(GaplessTest, APortOfFramesAloneIsNamed) {
    converter_.streams = false;
    Gapless signals{converter_, asset_, windows_};
    EXPECT_EQ(signals.missing(), "current");
    const asset::Asset plain = asset::shaded_pole_motor();
    EXPECT_EQ((Gapless{converter_, plain, {}}.missing()), "");
}

TEST_F(GaplessTest, TheAssetsArithmeticIsWhatRuns) {
    std::vector<std::uint16_t> frame(signal::waveform_samples);
    for (std::size_t i = 0; i < frame.size(); ++i)
        frame[i] = static_cast<std::uint16_t>(1'800 + i * i % 500);
    const auto made = [&](asset::Arithmetic arithmetic) {
        asset::Asset asset = asset::shaded_pole_motor();
        asset.arithmetic = arithmetic;
        Gapless signals{converter_, asset, {}};
        std::vector<float> features(asset.features.size());
        signals.extract(asset, 2, frame, workspace_, features);
        return features;
    };
    asset::Asset asset = asset::shaded_pole_motor();
    std::vector<float> floating(asset.features.size());
    signal::extract(asset, 2, frame, workspace_, floating);
    EXPECT_EQ(made(asset::Arithmetic::floating), floating);
    std::vector<float> integers(asset.features.size());
    signal::Q15Extractor q15;
    q15.extract(asset, 2, frame, workspace_, integers);
    EXPECT_EQ(made(asset::Arithmetic::q15), integers);
    EXPECT_NE(integers, floating);
}

}  // namespace
}  // namespace stator::node
