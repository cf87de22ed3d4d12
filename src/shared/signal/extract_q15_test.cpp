#include "shared/signal/extract_q15.h"

#include "shared/signal/q15.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <random>
#include <vector>

namespace stator::signal {
namespace {

using asset::Statistic;

constexpr double pi = std::numbers::pi;
constexpr std::array all = {
    Statistic::mean,
    Statistic::rms,
    Statistic::peak,
    Statistic::crest,
    Statistic::kurtosis,
    Statistic::peak_hz,
    Statistic::band_low,
    Statistic::band_mid,
    Statistic::band_high,
    Statistic::velocity_rms,
};

asset::Asset asset_of(asset::Sampling sampling, asset::Calibration calibration) {
    asset::Asset asset;
    asset::Channel channel;
    channel.name = "x";
    channel.sampling = sampling;
    channel.calibration = calibration;
    EXPECT_TRUE(asset.channels.push_back(channel));
    for (const Statistic it : all)
        EXPECT_TRUE(asset.features.push_back({0, it}));
    return asset;
}

class ExtractQ15 : public testing::Test {
  protected:
    // Both arithmetics on the same frame; how far each feature may be from the other's.
    void expect_the_bounds(const asset::Asset& asset, const std::vector<std::uint16_t>& counts) {
        std::vector<float> floating(all.size());
        std::vector<float> integers(all.size());
        extract(asset, 0, counts, workspace_, floating);
        q15_.extract(asset, 0, counts, workspace_, integers);
        const double band = bound(counts) * std::fabs(asset.channels[0].calibration.unit_per_count);
        for (std::size_t i = 0; i < all.size(); ++i) {
            const double one = floating[i];
            const double other = integers[i];
            const double off = std::fabs(other - one);
            double may = 0.002 * std::fabs(one);
            if (all.at(i) == Statistic::mean) may += half_a_step(counts) * unit(asset);
            if (all.at(i) == Statistic::peak_hz)
                may = 0.01 * sampling_rate_hz / static_cast<double>(lines(counts));
            if (all.at(i) >= Statistic::band_low) may = band + 1e-4 * one;
            if (all.at(i) == Statistic::velocity_rms)
                may = band * 9'806.65 / (2 * pi * 12.788) + 1e-3 * one;
            ASSERT_LE(off, may) << asset::name_of(all.at(i)) << ' ' << one << ' ' << other;
            if (one == 0.0) continue;
            worst_.at(i) = std::max(worst_.at(i), off / std::fabs(one));
        }
        ++frames_;
    }

    void say(const char* what) const {
        std::printf("%s, %d frames, furthest from the float one:", what, frames_);
        for (std::size_t i = 0; i < all.size(); ++i)
            std::printf(" %s %.2g", std::string{asset::name_of(all.at(i))}.c_str(), worst_.at(i));
        std::printf("\n");
    }

    // No bound of the transform that is far too wide hides what a feature loses.
    void expect_near_the_float_ones(double relative) const {
        for (std::size_t i = 1; i < all.size(); ++i)  // a mean may be next to zero
            EXPECT_LT(worst_.at(i), relative) << asset::name_of(all.at(i));
    }

  private:
    static std::size_t lines(const std::vector<std::uint16_t>& counts) {
        return std::min(counts.size(), q15::samples_max);
    }

    static double unit(const asset::Asset& asset) {
        return std::fabs(asset.channels[0].calibration.unit_per_count);
    }

    static double half_a_step(const std::vector<std::uint16_t>& counts) {
        std::vector<std::int16_t> block(counts.size());
        return std::ldexp(0.5, q15::block_of(counts, block).mean.exponent);
    }

    // The derived one of the transform, in counts.
    static double bound(const std::vector<std::uint16_t>& counts) {
        std::vector<std::int16_t> block(counts.size());
        const auto seen = q15::block_of(counts, block);
        const auto packed = std::span{block}.first(lines(counts));
        const auto spectrum = q15::transform(packed, seen.exponent);
        const auto error = q15::amplitude_error(spectrum, packed.size());
        return std::ldexp(static_cast<double>(error.value), error.exponent);
    }

    Workspace workspace_;
    Q15Extractor q15_;
    std::array<double, all.size()> worst_{};
    int frames_ = 0;
};

std::vector<std::uint16_t> frame_of(
    std::size_t size, const std::function<double(double time_s)>& counts, double most
) {
    std::vector<std::uint16_t> made(size);
    for (std::size_t i = 0; i < size; ++i)
        made[i] = static_cast<std::uint16_t>(
            std::lround(std::clamp(counts(static_cast<double>(i) / sampling_rate_hz), 0.0, most))
        );
    return made;
}

TEST_F(ExtractQ15, EveryFeatureOfAVibrationIsTheFloatOneWithinItsBound) {
    const asset::Calibration g{.zero_counts = 2'048.0F, .unit_per_count = 0.00806F};
    const asset::Asset asset = asset_of(asset::Sampling::waveform, g);
    std::mt19937 random{7};
    std::normal_distribution<double> noise;
    for (const double loud : {3.0, 20.0, 150.0, 900.0})
        for (double hz = 30.0; hz < 5'000.0; hz *= 1.37) {
            const double impacts = loud > 100.0 ? 4.0 * loud : 0.0;
            expect_the_bounds(
                asset,
                frame_of(
                    waveform_samples,
                    [&](double t) {
                        const double since = std::fmod(t, 1.0 / 97.0);
                        return 2'048.0 + loud * std::sin(2 * pi * hz * t) +
                               impacts * std::exp(-since / 1e-3) * std::sin(2 * pi * 3'200 * t) +
                               0.2 * loud * noise(random);
                    },
                    4'095.0
                )
            );
        }
    say("12 bits");
    expect_near_the_float_ones(0.01);
}

TEST_F(ExtractQ15, SixteenBitsAndTheReferencesFrameKeepTheBounds) {
    const asset::Calibration fine{.zero_counts = 32'768.0F, .unit_per_count = -0.001F};
    for (const auto sampling : {asset::Sampling::waveform, asset::Sampling::reference}) {
        const asset::Asset asset = asset_of(sampling, fine);
        for (double hz = 450.0; hz < 5'900.0; hz += 61.0)
            expect_the_bounds(
                asset,
                frame_of(
                    frame_samples(sampling),
                    [&](double t) {
                        return 32'768.0 + 9'000.0 * std::sin(2 * pi * hz * t + 0.4) +
                               500.0 * std::sin(2 * pi * 60.0 * t);
                    },
                    65'535.0
                )
            );
    }
    say("16 bits");
}

TEST_F(ExtractQ15, AFrameThatStandsStillHasNothingButItsMean) {
    const asset::Asset asset =
        asset_of(asset::Sampling::waveform, {.zero_counts = 1'000.0F, .unit_per_count = 2.0F});
    std::vector<float> features(all.size(), -1.0F);
    Workspace workspace;
    Q15Extractor q15;
    q15.extract(asset, 0, std::vector<std::uint16_t>(waveform_samples, 1'500), workspace, features);
    EXPECT_EQ(features[0], 1'000.0F);
    for (std::size_t i = 1; i < features.size(); ++i)
        EXPECT_EQ(features[i], 0.0F) << asset::name_of(all.at(i));
}

}  // namespace
}  // namespace stator::signal
