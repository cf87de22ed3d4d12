// The profile's sensors, from what they measure to the physical value: what its datasheet says each
// gives in volts, a converter of 12 bits over 3.3 V, and the device's own features of the counts.
#include "shared/signal/extract.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <vector>

namespace stator::signal {
namespace {

constexpr double pi = std::numbers::pi;
constexpr double mid_rail_v = 3.3 / 2.0;  // two 10 kohm resistors

std::vector<float> features_of(
    std::string_view channel, const std::function<double(double time_s)>& volts
) {
    const asset::Asset motor = asset::shaded_pole_motor();
    std::size_t index = 0;
    while (motor.channels[index].name.view() != channel)
        ++index;
    std::vector<std::uint16_t> counts(frame_samples(motor.channels[index].sampling));
    for (std::size_t i = 0; i < counts.size(); ++i) {
        const double v = volts(static_cast<double>(i) / sampling_rate_hz);
        counts[i] =
            static_cast<std::uint16_t>(std::lround(std::clamp(v * 4'096.0 / 3.3, 0.0, 4'095.0)));
    }
    Workspace workspace;
    std::vector<float> features(motor.features.size());
    extract(motor, index, counts, workspace, features);
    return features;
}

// Charge = d33 * force, force = mass * acceleration; a charge amplifier gives charge / capacitance.
TEST(Sensors, ThePiezosChargeIsTheAcceleration) {
    constexpr double d33_coulomb_per_newton = 374e-12;  // PZT-5A
    constexpr double mass_kg = 0.0273;                  // on the disc
    constexpr double feedback_farad = 1e-9;
    constexpr double volt_per_g = d33_coulomb_per_newton * mass_kg * 9.80665 / feedback_farad;
    EXPECT_NEAR(volt_per_g, 0.1, 0.001);
    for (const double peak_g : {0.2, 1.0, 5.0, 15.0}) {
        const auto made = features_of("vibration", [&](double t) {
            return mid_rail_v + volt_per_g * peak_g * std::sin(2 * pi * 160.0 * t);
        });
        EXPECT_NEAR(made[2], peak_g / std::sqrt(2.0), 0.01 * peak_g) << peak_g;
        const double velocity = 9'806.65 * peak_g / std::sqrt(2.0) / (2 * pi * 160.0);
        EXPECT_NEAR(made[9], velocity, 0.03 * velocity) << peak_g;
    }
}

// A capsule of -44 dB (0 dB: 1 V/Pa), as the CMA-4544PF-W, before a MAX4465 of gain 1 + R1 / R2.
TEST(Sensors, TheMicrophonesVoltageIsTheSoundPressure) {
    const double capsule_volt_per_pa = std::pow(10.0, -44.0 / 20.0);
    constexpr double gain = 1.0 + 39.2e3 / 1.02e3;
    EXPECT_NEAR(capsule_volt_per_pa * gain, 0.25, 0.0025);
    constexpr double gain_bandwidth_hz = 200e3;
    EXPECT_GT(gain_bandwidth_hz / gain, 5'000.0);  // wide enough for the bands above 2 kHz
    for (const double rms_pa : {0.02, 0.2, 1.0, 4.0}) {
        const auto made = features_of("sound", [&](double t) {
            const double pa = rms_pa * std::sqrt(2.0) * std::sin(2 * pi * 1'000.0 * t);
            return mid_rail_v + capsule_volt_per_pa * gain * pa;
        });
        EXPECT_NEAR(made[3], rms_pa, 0.01 * rms_pa + 2e-4) << rms_pa;
        EXPECT_NEAR(made[10], rms_pa, 0.01 * rms_pa + 2e-4) << rms_pa;  // 500 Hz .. 2 kHz
    }
}

// The primary passes the clamp 20 times, of 2200 turns, into a burden of 25.78 ohm.
TEST(Sensors, TheClampsVoltageIsTheCurrent) {
    for (const double mains_hz : {50.0, 60.0})
        for (const double rms_a : {0.1, 0.6, 2.0, 4.9}) {
            const auto made = features_of("current", [&](double t) {
                const double amperes = rms_a * std::sqrt(2.0) * std::sin(2 * pi * mains_hz * t);
                return mid_rail_v + amperes * 20.0 / 2'200.0 * 25.78;
            });
            EXPECT_NEAR(made[0], rms_a, 0.01 * rms_a) << rms_a;
        }
}

// TMP36: 10 mV/K, 750 mV at 25 degC.
TEST(Sensors, TheThermometersVoltageIsTheTemperature) {
    for (const double degc : {-40.0, 0.0, 25.0, 80.0, 125.0}) {
        const auto made =
            features_of("temperature", [&](double) { return 0.75 + 0.01 * (degc - 25.0); });
        EXPECT_NEAR(made[1], degc, 0.05) << degc;  // half a count
    }
}

}  // namespace
}  // namespace stator::signal
