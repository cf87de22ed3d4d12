// Figures that scipy 1.17.1 computed from the same counts: the mean of all 1310 taken off, then
// signal.periodogram(first 1024, 13095, get_window("hamming", 1024, fftbins=True), detrend=False),
// summed over a band times 13095/1024, its root; the last line left out. The current's: of the
// 46,080 counts at full rate that the decimated window stands for (the filters' delay is 845
// samples), signal.periodogram(909 .. 46988, 13095, get_window("blackmanharris", 46080,
// fftbins=True), detrend="constant"), summed over the seven lines around a peak times 13095/46080.
#include "shared/signal/extract.h"
#include "shared/signal/long_window.h"
#include "shared/signal/q15.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace stator::signal {
namespace {

constexpr double rms = 3321.9395079412675;
constexpr std::array<double, 3> bands = {
    2308.5011656716074, 1970.3592681545085, 1291.2546139362262
};

std::vector<std::uint16_t> a_frame() {  // a triangle, a square wave and noise
    std::vector<std::uint16_t> counts;
    std::uint32_t state = 1;
    for (int i = 0; i < static_cast<int>(waveform_samples); ++i) {
        state = state * 1'664'525U + 1'013'904'223U;
        const int noise = static_cast<int>(state >> 22U) - 512;
        const int triangle = std::abs(i * 977 % 65'536 - 32'768) - 16'384;
        const int square = i / 9 % 2 != 0 ? 2'000 : -2'000;
        counts.push_back(static_cast<std::uint16_t>(32'768 + noise * 4 + (triangle >> 2) + square));
    }
    return counts;
}

TEST(Scipy, TheFloatPathsBandsAreItsWithinOnePercent) {
    using asset::Statistic;
    asset::Asset asset;
    asset::Channel channel;
    channel.name = "x";
    channel.sampling = asset::Sampling::waveform;
    channel.calibration = {.zero_counts = 32'768.0F, .unit_per_count = 1.0F};
    ASSERT_TRUE(asset.channels.push_back(channel));
    for (const Statistic it :
         {Statistic::band_low, Statistic::band_mid, Statistic::band_high, Statistic::rms})
        ASSERT_TRUE(asset.features.push_back({0, it}));
    Workspace workspace;
    std::array<float, 4> features{};
    extract(asset, 0, a_frame(), workspace, features);
    for (std::size_t i = 0; i < bands.size(); ++i)
        EXPECT_NEAR(static_cast<double>(features[i]) / bands[i], 1.0, 1e-3);
    EXPECT_NEAR(static_cast<double>(features[3]) / rms, 1.0, 1e-3);
}

TEST(Scipy, TheIntegerPathsBandsAreItsWithinTheirBound) {
    const auto counts = a_frame();
    std::vector<std::int16_t> block(counts.size());
    const q15::Block seen = q15::block_of(counts, block);
    const auto packed = std::span{block}.first(q15::samples_max);
    const q15::Spectrum spectrum = q15::transform(packed, seen.exponent);
    const auto real = [](const q15::Scaled& it) {
        return std::ldexp(static_cast<double>(it.value), it.exponent);
    };
    const double bound = real(q15::amplitude_error(spectrum, q15::samples_max));
    const double line_hz = sampling_rate_hz / 1024.0;
    const std::array<std::size_t, 4> edges = {
        1,
        static_cast<std::size_t>(500.0 / line_hz) + 1,
        static_cast<std::size_t>(2000.0 / line_hz) + 1,
        512
    };
    for (std::size_t i = 0; i < bands.size(); ++i) {
        const double ours = real(q15::amplitude(packed, spectrum, edges[i], edges[i + 1]));
        EXPECT_NEAR(ours, bands[i], bound + 1e-4 * bands[i]);
        EXPECT_NEAR(ours / bands[i], 1.0, 0.01);
    }
    EXPECT_NEAR(real(seen.rms) / rms, 1.0, 1e-3);
}

std::int32_t triangle(std::uint32_t phase) {
    const auto at = static_cast<std::int32_t>(phase >> 16U);
    return (at < 32'768 ? at : 65'535 - at) - 16'384;
}

// Triangles: a line of 50.37 Hz, modulated at 46.9 Hz and at 6.94 Hz; and noise.
std::vector<std::uint16_t> a_current() {
    std::vector<std::uint16_t> counts;
    std::array<std::uint32_t, 3> phase{};
    constexpr std::array<std::uint32_t, 3> step = {16'520'619, 15'382'510, 2'276'218};
    std::uint32_t state = 1;
    for (std::size_t i = 0; i < LongWindow::samples_min; ++i) {
        state = state * 1'664'525U + 1'013'904'223U;
        const auto noise = static_cast<std::int32_t>(state >> 22U) - 512;
        const std::int32_t depth =
            4'096 + (triangle(phase[1]) * 164 >> 14) + (triangle(phase[2]) * 82 >> 14);
        counts.push_back(
            static_cast<std::uint16_t>(32'768 + (triangle(phase[0]) * depth >> 12) + (noise >> 3))
        );
        for (std::size_t k = 0; k < phase.size(); ++k)
            phase.at(k) += step.at(k);
    }
    return counts;
}

TEST(Scipy, TheDecimatedCurrentsLineAndSidebandsAreThoseOfTheFullRateWithinOnePercent) {
    constexpr double line_hz = 50.37088600083592;
    constexpr double line_rms = 9388.203952856715;
    constexpr double rotation_square = 46693.174345674386;
    constexpr double slip_square = 11560.264316393746;
    asset::Asset asset;
    asset::Channel channel;
    channel.name = "current";
    channel.sampling = asset::Sampling::waveform;
    channel.calibration = {.zero_counts = 32'768.0F, .unit_per_count = 1.0F};
    ASSERT_TRUE(asset.channels.push_back(channel));
    using asset::Statistic;
    for (const Statistic it :
         {Statistic::line_hz,
          Statistic::line_rms,
          Statistic::rotation_sideband_db,
          Statistic::slip_sideband_db})
        ASSERT_TRUE(asset.features.push_back({0, it}));
    LongWindow window{channel.calibration};
    window.push(a_current());
    Workspace workspace;
    std::array<float, 4> features{};
    window.features(asset, 0, workspace, features);
    const auto square = [&](double db) { return line_rms * line_rms * std::pow(10.0, db / 10.0); };
    EXPECT_NEAR(features[0], line_hz, 0.1 * 291.0 / 1'024.0);
    EXPECT_NEAR(features[1] / line_rms, 1.0, 0.005);  // one percent of its square
    EXPECT_NEAR(square(features[2]) / rotation_square, 1.0, 0.01);
    EXPECT_NEAR(square(features[3]) / slip_square, 1.0, 0.01);
    std::printf(
        "beside scipy: line %.5f of a line, RMS %.2g, sidebands %.2g and %.2g\n",
        (features[0] - line_hz) * 1'024.0 / 291.0,
        features[1] / line_rms - 1.0,
        square(features[2]) / rotation_square - 1.0,
        square(features[3]) / slip_square - 1.0
    );
}

}  // namespace
}  // namespace stator::signal
