#include "shared/signal/decimator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numbers>
#include <vector>

namespace stator::signal {
namespace {

constexpr double pi = std::numbers::pi;
constexpr double rate_hz = 13'095.0;

std::vector<std::int32_t> decimated(
    std::size_t outputs, const std::function<double(double time_s)>& counts
) {
    Decimator decimator{32'768};
    std::vector<std::int32_t> made;
    for (std::size_t i = 0; made.size() < outputs; ++i) {
        const double count = counts(static_cast<double>(i) / rate_hz);
        const auto out = decimator.push(static_cast<std::uint16_t>(std::lround(count)));
        EXPECT_EQ(out.has_value(), (i + 1) % Decimator::factor == 0);
        if (out) made.push_back(*out);
    }
    made.erase(made.begin(), made.begin() + Decimator::settling);
    return made;
}

double rms_counts(const std::vector<std::int32_t>& samples) {
    double sum = 0.0;
    for (const std::int32_t x : samples)
        sum += static_cast<double>(x) * x / 65'536.0;
    return std::sqrt(sum / static_cast<double>(samples.size()));
}

TEST(Decimator, WhatStandsStillComesOutAsItCameIn) {
    for (const double level : {0.0, 1.0, 32'768.0, 32'769.0, 65'535.0})
        for (const std::int32_t it : decimated(60, [&](double) { return level; }))
            ASSERT_NEAR(it, 256.0 * (level - 32'768.0), 1.0) << level;
}

TEST(Decimator, ATonesAmplitudeIsWhatTheDroopLeavesOfItUpTo125Hz) {
    double most = 0.0;
    for (double hz = 1.0; hz <= Decimator::pass_hz; hz += 4.1) {
        // 2,910 samples are ten seconds: whole periods of a tenth of a hertz.
        const double whole_hz = std::round(hz * 10.0) / 10.0;
        const auto made = decimated(2'910 + Decimator::settling, [&](double t) {
            return 32'768 + 30'000 * std::sin(2 * pi * whole_hz * t);
        });
        const double ratio =
            rms_counts(made) / (30'000 / std::sqrt(2.0) * Decimator::droop(whole_hz));
        most = std::max(most, std::fabs(ratio - 1.0));
        ASSERT_NEAR(ratio, 1.0, 0.0012) << whole_hz;  // 0.01 dB
    }
    std::printf("furthest from the droop: %.2g\n", most);
    EXPECT_NEAR(Decimator::droop(125.0), 0.8445, 0.0001);
}

TEST(Decimator, WhatWouldFoldInto125HzIsGone) {
    double least_db = 1e9;
    int tones = 0;
    for (double hz = 166.0; hz < rate_hz / 2; hz += 3.7) {
        const double folded_hz = std::fabs(hz - 291.0 * std::round(hz / 291.0));
        if (folded_hz > Decimator::pass_hz) continue;
        const auto made = decimated(291 + Decimator::settling, [&](double t) {
            return 32'768 + 32'000 * std::sin(2 * pi * hz * t);
        });
        const double db = -20.0 * std::log10(rms_counts(made) / (32'000 / std::sqrt(2.0)));
        least_db = std::min(least_db, db);
        ++tones;
    }
    std::printf("least attenuation of what folds: %.1f dB\n", least_db);
    EXPECT_GT(least_db, 78.0);
    EXPECT_GT(tones, 1'000);
}

}  // namespace
}  // namespace stator::signal
