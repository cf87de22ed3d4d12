#include "shared/signal/signature.h"

#include "shared/signal/long_window.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>
#include <random>
#include <vector>

namespace stator::signal {
namespace {

constexpr double pi = std::numbers::pi;
constexpr double line_step_hz = 291.0 / 1024.0;

enum Place : std::size_t { line_hz, line_rms, rotation_db, slip_db };

asset::Asset motor(asset::Rotor rotor) {
    asset::Asset asset;
    asset::Channel channel;
    channel.name = "current";
    channel.sampling = asset::Sampling::waveform;
    channel.calibration = {.zero_counts = 32'768.0F, .unit_per_count = 1e-3F};
    EXPECT_TRUE(asset.channels.push_back(channel));
    for (const auto it :
         {asset::Statistic::line_hz,
          asset::Statistic::line_rms,
          asset::Statistic::rotation_sideband_db,
          asset::Statistic::slip_sideband_db})
        EXPECT_TRUE(asset.features.push_back({0, it}));
    asset.rotor = rotor;
    return asset;
}

std::array<float, 4> features_of(
    const asset::Asset& asset, const std::function<double(double time_s)>& amperes
) {
    auto window = LongWindow{asset.channels[0].calibration};
    std::vector<std::uint16_t> counts(LongWindow::samples_min);
    for (std::size_t i = 0; i < counts.size(); ++i)
        counts[i] = static_cast<std::uint16_t>(
            std::lround(32'768.0 + 1'000.0 * amperes(static_cast<double>(i) / sampling_rate_hz))
        );
    window.push(counts);
    EXPECT_TRUE(window.full());
    Workspace workspace;
    std::array<float, 4> features{};
    window.features(asset, 0, workspace, features);
    return features;
}

struct Modulated {  // the current of a motor whose rotor is not round
    double mains_hz;
    double rotation_hz;
    double slip_hz;  // twice the slip, of the line
    double at_rotation;
    double at_slip;
    double phase;

    double operator()(double t) const {
        const double w = 2 * pi * mains_hz * t + phase;
        const double depth = 1.0 + at_rotation * std::cos(2 * pi * rotation_hz * t + 0.3) +
                             at_slip * std::cos(2 * pi * slip_hz * t + 1.1);
        return 15.0 * (depth * std::sin(w) + 0.1 * std::sin(3 * w) + 0.04 * std::sin(5 * w));
    }
};

// A sideband of half the depth on either side: depth^2 / 2 of the line's power. One percent of a
// power is 0.043 dB.
double db_of(double depth) {
    return 10.0 * std::log10(depth * depth / 2.0);
}

TEST(Signature, AMotorsLineAndSidebandsAreThoseOfTheFormulaAt50And60HzWithAnyPolesAndSlip) {
    double peak_off = 0.0;
    double rms_off = 0.0;
    double band_off_db = 0.0;
    int count = 0;
    for (const double nominal_hz : {50.0, 60.0})
        for (const int pole_pairs : {1, 2, 3})
            for (const double slip : {0.05, 0.063, 0.081, 0.1, 0.12}) {
                const double mains_hz = nominal_hz * (0.995 + 0.01 * (count % 7) / 6.0);
                const Modulated current{
                    .mains_hz = mains_hz,
                    .rotation_hz = mains_hz * (1.0 - slip) / pole_pairs,
                    .slip_hz = 2.0 * slip * mains_hz,
                    .at_rotation = 0.02,
                    .at_slip = 0.01,
                    .phase = 0.7 * count,
                };
                const asset::Asset asset =
                    motor({.pole_pairs = static_cast<std::uint8_t>(pole_pairs), .slip_max = 0.13F});
                const auto made = features_of(asset, current);
                const double rms = 15.0 / std::sqrt(2.0);
                peak_off = std::max(peak_off, std::fabs(made[line_hz] - mains_hz) / line_step_hz);
                rms_off = std::max(rms_off, std::fabs(made[line_rms] / rms - 1.0));
                band_off_db = std::max(band_off_db, std::fabs(made[rotation_db] - db_of(0.02)));
                band_off_db = std::max(band_off_db, std::fabs(made[slip_db] - db_of(0.01)));
                ASSERT_NEAR(made[line_hz], mains_hz, 0.1 * line_step_hz) << count;
                ASSERT_NEAR(made[line_rms], rms, 0.01 * rms) << count;
                ASSERT_NEAR(made[rotation_db], db_of(0.02), 0.043) << count;
                ASSERT_NEAR(made[slip_db], db_of(0.01), 0.043) << count;
                ++count;
            }
    std::printf(
        "%d currents: line within %.4f of a line, %.5f of its RMS; sidebands within %.4f dB\n",
        count,
        peak_off,
        rms_off,
        band_off_db
    );
}

TEST(Signature, AnySidebandAbove80dBBelowTheLineIsTold) {
    const asset::Asset asset = motor({.pole_pairs = 2, .slip_max = 0.1F});
    const auto told = [&](double depth) {
        return features_of(asset, Modulated{50.0, 23.4, 6.4, depth, 0.0, 0.2});
    };
    for (const double depth : {0.1, 0.01, 0.001, 0.0003})
        EXPECT_NEAR(told(depth)[rotation_db], db_of(depth), 0.3) << depth;
    const auto healthy = told(0.0);
    std::printf("a round rotor: %.1f and %.1f dB\n", healthy[rotation_db], healthy[slip_db]);
    EXPECT_LT(healthy[rotation_db], -80.0F);
    EXPECT_LT(healthy[slip_db], -80.0F);
}

TEST(Signature, TwelveBitsAndTheirNoiseLeave80dB) {
    asset::Asset asset = motor({.pole_pairs = 1, .slip_max = 0.15F});
    asset.channels[0].calibration = {.zero_counts = 2'048.0F, .unit_per_count = 1e-2F};
    std::mt19937 random{5};
    std::normal_distribution<double> noise{0.0, 0.7};
    LongWindow window{asset.channels[0].calibration};
    const Modulated current{50.0, 46.2, 7.6, 0.0, 0.0, 0.0};
    for (std::size_t i = 0; i < LongWindow::samples_min; ++i) {
        const double amperes = current(static_cast<double>(i) / sampling_rate_hz);
        const auto count =
            static_cast<std::uint16_t>(std::lround(2'048.0 + 100.0 * amperes + noise(random)));
        window.push({&count, 1});
    }
    Workspace workspace;
    std::array<float, 4> made{};
    window.features(asset, 0, workspace, made);
    std::printf("12 bits, noise of 0.7: %.1f and %.1f dB\n", made[rotation_db], made[slip_db]);
    EXPECT_LT(made[rotation_db], -80.0F);
    EXPECT_LT(made[slip_db], -80.0F);
}

TEST(Signature, NoCurrentHasNoSidebands) {
    const auto made = features_of(motor({}), [](double) { return 0.0; });
    EXPECT_EQ(made[line_rms], 0.0F);
    EXPECT_EQ(made[rotation_db], sideband_db_min);
    EXPECT_EQ(made[slip_db], sideband_db_min);
}

TEST(LongWindow, ItsStatisticsAreMissingUntilItIsFullAndAgainAfterAHole) {
    const asset::Asset asset = motor({});
    LongWindow window{asset.channels[0].calibration};
    Workspace workspace;
    std::array<float, 4> made{};
    const std::vector<std::uint16_t> counts(LongWindow::samples_min - 1, 32'768);
    window.push(counts);
    EXPECT_FALSE(window.full());
    window.features(asset, 0, workspace, made);
    EXPECT_TRUE(std::isnan(made[line_hz]) && std::isnan(made[slip_db]));
    window.push(std::span{counts}.first(1));
    EXPECT_TRUE(window.full());
    window.features(asset, 0, workspace, made);
    EXPECT_FALSE(std::isnan(made[line_hz]));
    window.restart();
    EXPECT_FALSE(window.full());
    std::array<std::uint16_t, slow_samples> frame{};
    EXPECT_FALSE(window.frame(frame));
}

TEST(LongWindow, AFrameIsTheLatestSamplesInTheirOrder) {
    LongWindow window{{}};
    std::vector<std::uint16_t> frame(waveform_samples);
    for (std::uint16_t i = 0; i < 5'000; ++i) {
        ASSERT_EQ(window.frame(frame), i >= waveform_samples);
        window.push({&i, 1});
    }
    ASSERT_TRUE(window.frame(frame));
    for (std::size_t i = 0; i < frame.size(); ++i)
        ASSERT_EQ(frame[i], 5'000 - frame.size() + i);
    ASSERT_TRUE(window.frame(std::span{frame}.first(64)));
    EXPECT_EQ(frame[0], 5'000 - 64);
}

}  // namespace
}  // namespace stator::signal
