#include "sim/plant/plant.h"

#include "sense/hal/conformance.h"
#include "shared/signal/extract.h"
#include "shared/signal/long_window.h"

#include <Eigen/Dense>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <vector>

namespace stator::plant {
namespace {

constexpr int feature_count = 12;

using Reading = Eigen::Vector<double, feature_count>;

Reading read(Plant& plant, const asset::Asset& asset, double plant_s) {
    static signal::Workspace workspace;
    plant.advance_to(plant_s);
    std::array<float, asset::features_max> features{};
    for (std::size_t channel = 0; channel < asset.channels.size(); ++channel) {
        std::array<std::uint16_t, signal::waveform_samples> counts{};
        const std::span frame =
            std::span{counts}.first(signal::frame_samples(asset.channels[channel].sampling));
        EXPECT_TRUE(plant.read(channel, frame).has_value());
        signal::extract(asset, channel, frame, workspace, features);
    }
    Reading made;
    for (int i = 0; i < feature_count; ++i)
        made[i] = static_cast<double>(features[static_cast<std::size_t>(i)]);
    return made;
}

struct Baseline {
    Reading mean = Reading::Zero();
    Reading sd = Reading::Zero();
};

Baseline baseline_of(const std::vector<Reading>& readings) {
    Baseline made;
    for (const Reading& r : readings)
        made.mean += r / static_cast<double>(readings.size());
    for (const Reading& r : readings)
        made.sd += (r - made.mean).cwiseAbs2() / static_cast<double>(readings.size());
    made.sd = made.sd.cwiseSqrt().cwiseMax(0.01 * made.mean.cwiseAbs());
    return made;
}

TEST(Plant, TheSameSeedIsTheSameMotorAndAnotherIsAnother) {
    const asset::Asset asset = asset::shaded_pole_motor();
    Plant a{7, asset};
    Plant b{7, asset};
    Plant c{8, asset};
    for (int i = 1; i < 20; ++i) {
        const Reading first = read(a, asset, i);
        EXPECT_EQ(first, read(b, asset, i));
        EXPECT_NE(first, read(c, asset, i));
    }
}

std::vector<std::uint16_t> pieces(std::size_t channel, std::size_t piece, bool gapless) {
    static const asset::Asset asset = asset::shaded_pole_motor();
    Plant plant{7, asset};
    if (gapless) plant.set_gapless();
    plant.break_with(Kind::bearing_wear);
    plant.advance_to(500);
    std::vector<std::uint16_t> counts(10 * signal::waveform_samples);
    for (std::size_t at = 0; at < counts.size(); at += piece)
        EXPECT_TRUE(plant.read(channel, std::span{counts}.subspan(at, piece)));
    return counts;
}

TEST(Plant, GaplessReadsArePiecesOfOneSignal) {
    for (std::size_t channel = 0; channel < 4; ++channel) {
        const auto most_apart = [&](bool gapless) {
            const auto whole = pieces(channel, 10 * signal::waveform_samples, gapless);
            const auto parts = pieces(channel, signal::waveform_samples / 5, gapless);
            int most = 0;
            for (std::size_t i = 0; i < whole.size(); ++i)
                most = std::max(most, std::abs(int{whole[i]} - int{parts[i]}));
            return most;
        };
        EXPECT_LE(most_apart(true), 1) << channel;  // by the rotations' rounding
        if (channel != 1) {
            EXPECT_GT(most_apart(false), 10) << channel;
        }
    }
}

// 3.5 s of a current that is taken whole, in pieces.
std::array<float, asset::features_max> taken(Plant& plant, const asset::Asset& asset) {
    signal::LongWindow window{asset.channels[0].calibration};
    std::array<std::uint16_t, 262> piece{};
    while (!window.full()) {
        EXPECT_EQ(plant.follow(0, piece), piece.size());
        window.push(piece);
    }
    static signal::Workspace workspace;
    std::array<float, asset::features_max> features{};
    window.features(asset, 0, workspace, features);
    return features;
}

TEST(Plant, TheCurrentThatIsTakenShowsAnImbalancedRotorAndNoOtherFaultDoes) {
    const asset::Asset asset = asset::condition_monitoring();
    constexpr std::size_t line_hz = 12;
    constexpr std::size_t rotation_db = 14;
    Plant healthy{7, asset};
    const auto before = taken(healthy, asset);
    EXPECT_NEAR(before[line_hz], 50.0, 0.03);
    EXPECT_NEAR(before[rotation_db], 20.0 * std::log10(0.004) - 3.0, 1.0);
    for (const Kind kind :
         {Kind::bearing_wear, Kind::imbalance, Kind::overload, Kind::blocked_flow}) {
        Plant plant{7, asset};
        plant.break_with(kind, 100.0);
        plant.advance_to(101.0);
        const float rise_db = taken(plant, asset)[rotation_db] - before[rotation_db];
        if (kind == Kind::imbalance)
            EXPECT_NEAR(rise_db, 20.0 * std::log10(11.0), 1.0);
        else
            EXPECT_LT(std::fabs(rise_db), 2.0F) << name_of(kind);
    }
}

TEST(Plant, AHealthyMotorStaysNearItsFirstReadings) {
    const asset::Asset asset = asset::shaded_pole_motor();
    for (const std::uint64_t seed : {7U, 21U}) {
        Plant plant{seed, asset};
        std::vector<Reading> first;
        for (int i = 1; i <= 240; ++i)
            first.push_back(read(plant, asset, i));
        const Baseline baseline = baseline_of(first);
        Reading smooth = Reading::Zero();
        double worst = 0.0;
        for (int i = 241; i <= 3000; ++i) {
            const Reading z = (read(plant, asset, i) - baseline.mean).cwiseQuotient(baseline.sd);
            smooth += 0.2 * (z - smooth);
            worst = std::max(worst, smooth.cwiseAbs().maxCoeff());
        }
        EXPECT_LT(worst, 4.5) << "seed " << seed;
    }
}

TEST(Plant, EachFaultStandsOutEvenFromAModelOfBothLoads) {
    const asset::Asset asset = asset::shaded_pole_motor();
    Plant plant{7, asset};
    std::vector<Reading> healthy;
    int time_s = 0;
    for (int i = 0; i < 240; ++i)
        healthy.push_back(read(plant, asset, ++time_s));
    const Baseline at_first_load = baseline_of(healthy);
    plant.set_load(1.0);
    time_s += 600;
    Reading shift = Reading::Zero();
    for (int i = 0; i < 240; ++i) {
        healthy.push_back(read(plant, asset, ++time_s));
        shift += (healthy.back() - at_first_load.mean).cwiseQuotient(at_first_load.sd) / 240.0;
    }
    EXPECT_GE((shift.array().abs() > 3.0).count(), 3) << shift.transpose();

    const Baseline pooled = baseline_of(healthy);
    Eigen::Matrix<double, feature_count, feature_count> covariance =
        0.3 * Eigen::Matrix<double, feature_count, feature_count>::Identity();
    for (const Reading& r : healthy) {
        const Reading z = (r - pooled.mean).cwiseQuotient(pooled.sd);
        covariance += 0.7 * z * z.transpose() / static_cast<double>(healthy.size());
    }
    const auto distance = [&](const Reading& r) {
        const Reading z = (r - pooled.mean).cwiseQuotient(pooled.sd);
        return std::sqrt(z.dot(covariance.ldlt().solve(z)));
    };
    std::vector<double> distances;
    for (const Reading& r : healthy)
        distances.push_back(distance(r));
    std::ranges::sort(distances);
    const double p99 = distances[distances.size() * 99 / 100];
    for (const Kind kind :
         {Kind::bearing_wear, Kind::imbalance, Kind::overload, Kind::blocked_flow}) {
        plant.break_with(kind);
        time_s += 620;
        EXPECT_EQ((plant.advance_to(time_s), plant.severity()), 1.0);
        const double found = distance(read(plant, asset, time_s));
        std::printf("%s: %.1f x the 99th percentile\n", name_of(kind).data(), found / p99);
        EXPECT_GT(found, 4.0 * p99) << name_of(kind);
        plant.repair();
        time_s += 900;
        static_cast<void>(read(plant, asset, time_s));
    }
    EXPECT_EQ(plant.account().size(), 4U);
}

TEST(Plant, TheBackupFlowsWithValveAndPumpUnlessItIsBlocked) {
    const asset::Asset asset = asset::shaded_pole_motor();
    Plant plant{7, asset};
    EXPECT_EQ(*plant.backup_flow_l_per_min(), 0.0F);
    plant.set_backup_pump(true);
    EXPECT_EQ(*plant.backup_flow_l_per_min(), 0.0F);
    plant.set_valve_degrees(180);
    EXPECT_GT(*plant.backup_flow_l_per_min(), asset.effect_flow_min);
    plant.set_backup_blocked(true);
    EXPECT_EQ(*plant.backup_flow_l_per_min(), 0.0F);
}

TEST(Plant, EachSensorFaultIsTakenForItselfAndNoneForAMotorThatIsWornOut) {
    const asset::Asset asset = asset::shaded_pole_motor();
    Plant plant{3, asset};
    const auto fault_of = [&](std::size_t channel) {
        std::array<std::uint16_t, signal::waveform_samples> counts{};
        const asset::Channel& it = asset.channels[channel];
        const std::span frame = std::span{counts}.first(signal::frame_samples(it.sampling));
        EXPECT_TRUE(plant.read(channel, frame).has_value());
        return signal::sensor_fault(it.sampling, frame, it.counts_max);
    };
    using enum signal::SensorFault;
    for (std::size_t channel = 0; channel < asset.channels.size(); ++channel) {
        const bool slow = asset.channels[channel].sampling == asset::Sampling::slow;
        for (const auto fault : {stuck, saturated, disconnected, noisy, none}) {
            plant.set_sensor_fault(channel, fault);
            EXPECT_EQ(fault_of(channel), slow && fault == stuck ? none : fault) << channel;
        }
    }
    double plant_s = 0;
    for (const Kind kind :
         {Kind::bearing_wear, Kind::imbalance, Kind::overload, Kind::blocked_flow}) {
        plant.break_with(kind);
        while (plant.severity() < 1.0) {
            plant.advance_to(plant_s += 60.0);
            for (std::size_t channel = 0; channel < asset.channels.size(); ++channel)
                ASSERT_EQ(fault_of(channel), none) << name_of(kind) << ' ' << channel;
        }
        plant.repair();
    }
}

TEST(Plant, ConformsAsAPortsConvertersAndOutputsMust) {
    const asset::Asset asset = asset::shaded_pole_motor();
    Plant plant{3, asset};
    std::array<std::uint16_t, signal::waveform_samples> frame{};
    EXPECT_EQ(hal::check_adc(plant, asset.channels.size(), 4095, frame), "");
    EXPECT_EQ(hal::check_actuators(plant), "");
}

TEST(Plant, AHiddenFaultIsToldOnlyByItsAccount) {
    const asset::Asset asset = asset::shaded_pole_motor();
    Plant plant{7, asset};
    plant.advance_to(100);
    plant.break_hidden();
    ASSERT_EQ(plant.account().size(), 1U);
    EXPECT_GT(plant.account()[0].onset_s, 100.0);
    EXPECT_GT(plant.account()[0].failure_s, plant.account()[0].onset_s + 300.0);
    plant.advance_to(800);
    EXPECT_EQ(plant.severity(), 1.0);
    plant.repair();
    EXPECT_EQ(plant.severity(), 0.0);
    plant.break_again();
    EXPECT_EQ(plant.account()[1].kind, plant.account()[0].kind);
}

}  // namespace
}  // namespace stator::plant
