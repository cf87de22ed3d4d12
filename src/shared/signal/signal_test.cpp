#include "shared/signal/extract.h"
#include "shared/signal/sensor_fault.h"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <functional>
#include <numbers>
#include <random>
#include <vector>

namespace stator::signal {
namespace {

constexpr double pi = std::numbers::pi;

// A channel whose counts resolve what the formulas need: 16 bit, +-32.
asset::Asset fine_asset(std::vector<asset::Statistic> statistics) {
    asset::Asset asset;
    asset::Channel channel;
    channel.name = "x";
    channel.sampling = asset::Sampling::waveform;
    channel.calibration = {.zero_counts = 32768.0F, .unit_per_count = 1e-3F};
    EXPECT_TRUE(asset.channels.push_back(channel));
    for (const asset::Statistic s : statistics)
        EXPECT_TRUE(asset.features.push_back({0, s}));
    return asset;
}

std::vector<float> features_of(
    const asset::Asset& asset, const std::function<double(double time_s)>& signal
) {
    std::vector<std::uint16_t> counts(waveform_samples);
    for (std::size_t i = 0; i < counts.size(); ++i)
        counts[i] = static_cast<std::uint16_t>(
            std::lround(32768.0 + 1000.0 * signal(static_cast<double>(i) / sampling_rate_hz))
        );
    Workspace workspace;
    std::vector<float> features(asset.features.size());
    extract(asset, 0, counts, workspace, features);
    return features;
}

TEST(Fft, EqualsTheDirectTransform) {
    for (const std::size_t count : {8U, 64U, 1024U}) {
        std::mt19937 random{3};
        std::normal_distribution<float> normal;
        std::vector<float> samples(count);
        for (float& x : samples)
            x = normal(random);
        std::vector<float> packed = samples;
        real_fft(packed);
        for (std::size_t k = 0; k <= count / 2; ++k) {
            std::complex<double> exact;
            for (std::size_t i = 0; i < count; ++i)
                exact +=
                    static_cast<double>(samples[i]) *
                    std::polar(
                        1.0,
                        -2.0 * pi * static_cast<double>(i * k % count) / static_cast<double>(count)
                    );
            ASSERT_NEAR(std::sqrt(static_cast<double>(power(packed, k))), std::abs(exact), 2e-4)
                << count << ' ' << k;
        }
    }
}

TEST(Fft, TheHammingWindowIsItsFormula) {
    std::vector<float> samples(64, 1.0F);
    hamming(samples);
    for (std::size_t i = 0; i < 64; ++i)
        EXPECT_NEAR(
            samples[i], 0.54 - 0.46 * std::cos(2.0 * pi * static_cast<double>(i) / 64.0), 1e-6
        );
}

TEST(Fft, APeakIsFoundWithinATenthOfALine) {
    for (double line = 20.0; line < 480.0; line += 0.37) {
        std::vector<float> samples(1024);
        for (std::size_t i = 0; i < samples.size(); ++i)
            samples[i] = static_cast<float>(
                std::sin(2.0 * pi * line * static_cast<double>(i) / 1024.0) +
                0.1 * std::sin(2.0 * pi * (line + 25.0) * static_cast<double>(i) / 1024.0)
            );
        hamming(samples);
        real_fft(samples);
        ASSERT_NEAR(peak_line(samples), line, 0.1);
    }
}

TEST(Extract, TheRmsOfMainsCurrentIsWithinOnePercentAt50And60HzWithHarmonics) {
    const asset::Asset asset = fine_asset({asset::Statistic::rms});
    for (const double mains_hz : {50.0, 60.0})
        for (double phase = 0.0; phase < 2 * pi; phase += 0.3) {
            const auto features = features_of(asset, [&](double t) {
                const double w = 2.0 * pi * mains_hz * t + phase;
                return std::sqrt(2.0) *
                       (3.0 * std::sin(w) + 0.6 * std::sin(3 * w) + 0.3 * std::sin(5 * w));
            });
            const double exact = std::sqrt(9.0 + 0.36 + 0.09);
            ASSERT_NEAR(features[0], exact, 0.01 * exact);
        }
}

TEST(Extract, CrestAndKurtosisAreThoseOfTheFormulas) {
    const asset::Asset asset = fine_asset({asset::Statistic::crest, asset::Statistic::kurtosis});
    const auto square = features_of(asset, [](double t) {
        return std::sin(2 * pi * 130.95 * t + 0.01) > 0 ? 1.0 : -1.0;
    });
    EXPECT_NEAR(square[0], 1.0, 0.02);
    EXPECT_NEAR(square[1], 1.0, 0.02);
    const auto sine = features_of(asset, [](double t) { return std::sin(2 * pi * 500.0 * t); });
    EXPECT_NEAR(sine[0], std::sqrt(2.0), 0.01);
    EXPECT_NEAR(sine[1], 1.5, 0.01);
    std::mt19937 random{1};
    std::normal_distribution<double> normal;
    double sum = 0.0;
    for (int i = 0; i < 40; ++i)
        sum += static_cast<double>(features_of(asset, [&](double) { return normal(random); })[1]);
    EXPECT_NEAR(sum / 40.0, 3.0, 0.1);
}

TEST(Extract, BandEnergiesAreThoseOfTheTonesInThem) {
    const asset::Asset asset = fine_asset(
        {asset::Statistic::band_low, asset::Statistic::band_mid, asset::Statistic::band_high}
    );
    const auto features = features_of(asset, [](double t) {
        return 2.0 * std::sin(2 * pi * 200.0 * t) + 1.0 * std::sin(2 * pi * 1200.0 * t) +
               0.5 * std::sin(2 * pi * 4000.0 * t);
    });
    EXPECT_NEAR(features[0], 2.0 / std::sqrt(2.0), 0.015 * 1.42);
    EXPECT_NEAR(features[1], 1.0 / std::sqrt(2.0), 0.01 * 0.71);
    EXPECT_NEAR(features[2], 0.5 / std::sqrt(2.0), 0.01 * 0.36);
}

// 1 g at 159.155 Hz is a velocity of 9.80665 / 1000 m/s amplitude.
TEST(Extract, VelocityFollowsFromAcceleration) {
    const asset::Asset asset = fine_asset({asset::Statistic::velocity_rms});
    const auto features =
        features_of(asset, [](double t) { return std::sin(2 * pi * 159.154943 * t); });
    EXPECT_NEAR(features[0], 9.80665 / std::sqrt(2.0), 0.03 * 6.93);
}

TEST(Extract, ASlowChannelIsAMean) {
    const asset::Asset motor = asset::shaded_pole_motor();
    std::vector<std::uint16_t> counts(slow_samples);
    for (std::size_t i = 0; i < counts.size(); ++i)
        counts[i] = static_cast<std::uint16_t>(1116 + (i % 3));
    Workspace workspace;
    std::vector<float> features(motor.features.size(), -1.0F);
    extract(motor, 1, counts, workspace, features);
    EXPECT_NEAR(features[1], (1117.0 * 3.3 / 4096.0 - 0.5) * 100.0, 0.1);
    EXPECT_EQ(features[0], -1.0F) << "other channels' features are left alone";
}

TEST(Extract, TheReferenceProfileFindsAToneIn64Samples) {
    const asset::Asset motor = asset::reference();
    ASSERT_EQ(asset::feature_name(motor, 5).view(), "vibration_peak_hz");
    const asset::Channel& vibration = motor.channels[2];
    std::array<std::uint16_t, reference_samples> counts{};
    Workspace workspace;
    std::vector<float> features(motor.features.size());
    for (double hz = 700.0; hz < 5'900.0; hz += 37.0) {
        for (std::size_t i = 0; i < counts.size(); ++i)
            counts[i] = static_cast<std::uint16_t>(std::lround(
                2048 + 900 * std::sin(2 * pi * hz * static_cast<double>(i) / sampling_rate_hz)
            ));
        extract(motor, 2, counts, workspace, features);
        ASSERT_NEAR(features[5], hz, 0.1 * sampling_rate_hz / 64);
        const double rms_g =
            900 * static_cast<double>(vibration.calibration.unit_per_count) / std::sqrt(2.0);
        ASSERT_NEAR(features[2], rms_g, 0.1 * rms_g);  // 64 samples are no whole periods
    }
}

TEST(SensorFault, EachKindIsTold) {
    std::vector<std::uint16_t> frame(waveform_samples, 2000);
    EXPECT_EQ(sensor_fault(asset::Sampling::waveform, frame), SensorFault::stuck);
    EXPECT_EQ(sensor_fault(asset::Sampling::slow, frame), SensorFault::none);
    for (std::size_t i = 0; i < frame.size(); ++i)
        frame[i] = static_cast<std::uint16_t>(2000 + i % 5);
    EXPECT_EQ(sensor_fault(asset::Sampling::waveform, frame), SensorFault::none);
    for (std::size_t i = 0; i < frame.size() / 8; ++i)
        frame[i * 8] = 4095;
    EXPECT_EQ(sensor_fault(asset::Sampling::waveform, frame), SensorFault::saturated);
    std::fill(frame.begin(), frame.end(), std::uint16_t{3});
    EXPECT_EQ(sensor_fault(asset::Sampling::waveform, frame), SensorFault::disconnected);
    for (std::size_t i = 0; i < frame.size(); ++i)
        frame[i] = static_cast<std::uint16_t>(i % 2 == 0 ? 900 : 2900);
    EXPECT_EQ(sensor_fault(asset::Sampling::slow, frame), SensorFault::noisy);
    EXPECT_EQ(sensor_fault(asset::Sampling::waveform, frame), SensorFault::noisy);
}

// What a machine does at full scale, and the impacts of a bearing that ring at 3.5 kHz.
TEST(SensorFault, AMachineAtFullScaleIsNoNoise) {
    std::vector<std::uint16_t> frame(waveform_samples);
    const auto fault_of = [&](auto&& value) {
        for (std::size_t i = 0; i < frame.size(); ++i)
            frame[i] = static_cast<std::uint16_t>(std::clamp(
                std::lround(2048 + value(static_cast<double>(i) / sampling_rate_hz)), 25L, 4070L
            ));
        return sensor_fault(asset::Sampling::waveform, frame);
    };
    for (double hz = 10; hz <= 1000; hz *= 1.5)
        EXPECT_EQ(
            fault_of([&](double s) { return 2000 * std::sin(2 * pi * hz * s); }), SensorFault::none
        ) << hz;
    EXPECT_EQ(
        fault_of([](double s) {
            const double since = std::fmod(s, 1.0 / 90);
            return 2000 * std::exp(-since / 1e-3) * std::sin(2 * pi * 3500 * since);
        }),
        SensorFault::none
    );
    std::uint32_t state = 1;
    EXPECT_EQ(
        fault_of([&](double) {
            state = state * 1'664'525U + 1'013'904'223U;
            return static_cast<double>(state >> 20U) - 2048;
        }),
        SensorFault::noisy
    );
}

TEST(SensorFault, ASlowChannelIsStillFromTheFirstOfEqualFramesOn) {
    Stillness stillness;
    std::vector<std::uint16_t> frame(slow_samples, 1000);
    EXPECT_EQ(stillness.after(frame, 5), 0);
    EXPECT_EQ(stillness.after(frame, 105), 100);
    frame[3] = 1001;
    EXPECT_EQ(stillness.after(frame, 205), 0);
    std::ranges::fill(frame, std::uint16_t{1001});
    EXPECT_EQ(stillness.after(frame, 305), 0);
    EXPECT_EQ(stillness.after(frame, 405), 100);
    std::ranges::fill(frame, std::uint16_t{1002});
    EXPECT_EQ(stillness.after(frame, 505), 0);
}

}  // namespace
}  // namespace stator::signal
