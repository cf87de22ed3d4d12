// Real bearings: the drive end of a motor of 2 hp, healthy and with seeded faults (Case Western
// Reserve University). Not part of the project: read from $STATOR_DATA/cwru, not run without it.
#include "shared/signal/extract.h"
#include "shared/signal/sensor_fault.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <numbers>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stator::signal {
namespace {

using asset::Statistic;

struct Recording {
    double rate_hz = 0.0;
    std::vector<float> samples;  // g
};

std::uint32_t word_at(const std::string& bytes, std::size_t at) {
    std::uint32_t word = 0;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    return word;
}

std::optional<Recording> read_wav(const std::filesystem::path& file) {
    std::ifstream in{file, std::ios::binary};
    const std::string bytes{std::istreambuf_iterator<char>{in}, {}};
    Recording made;
    for (std::size_t at = 12; at + 8 <= bytes.size(); at += 8 + word_at(bytes, at + 4)) {
        const std::string_view chunk{bytes.data() + at, 4};
        if (chunk == "fmt ") made.rate_hz = word_at(bytes, at + 12);
        if (chunk != "data") continue;
        made.samples.resize(
            std::min<std::size_t>(word_at(bytes, at + 4), bytes.size() - at - 8) / 4
        );
        std::memcpy(made.samples.data(), bytes.data() + at + 8, 4 * made.samples.size());
    }
    if (made.rate_hz == 0.0 || made.samples.empty()) return std::nullopt;
    return made;
}

// As our converter would have seen it: every recording below the same 5.4 kHz, which the slowest
// still has, by a windowed sinc of 32 zeros a side; then 13,095 Hz, 12 bit, the piezo's
// calibration.
std::vector<std::uint16_t> as_sampled(const Recording& recording, const asset::Channel& channel) {
    constexpr double pass_hz = 5'400.0;
    constexpr double zeros = 32.0;
    constexpr std::size_t period = 873;  // 13,095 / 15: then the weights come again
    const double zeros_per_sample = 2.0 * pass_hz / recording.rate_hz;
    const auto reach = static_cast<std::size_t>(std::ceil(zeros / zeros_per_sample));
    const auto period_samples = static_cast<std::size_t>(recording.rate_hz) / 15;
    std::vector<std::vector<double>> weights(period);
    for (std::size_t phase = 0; phase < period; ++phase) {
        const double at = static_cast<double>(phase * period_samples % period) / period;
        for (std::size_t k = 0; k <= 2 * reach; ++k) {
            const double zero =
                zeros_per_sample * (static_cast<double>(k) - static_cast<double>(reach) - at);
            const double x = std::numbers::pi * zero;
            const double sinc = x == 0.0 ? 1.0 : std::sin(x) / x;
            const double hann = std::abs(zero) < zeros ? 0.5 + 0.5 * std::cos(x / zeros) : 0.0;
            weights[phase].push_back(zeros_per_sample * sinc * hann);
        }
    }
    std::vector<std::uint16_t> counts;
    for (std::size_t i = 0;; ++i) {
        const std::size_t first = i * period_samples / period;
        const auto& weight = weights[i % period];
        if (first + weight.size() > recording.samples.size()) return counts;
        double g = 0.0;
        for (std::size_t k = 0; k < weight.size(); ++k)
            g += weight[k] * static_cast<double>(recording.samples[first + k]);
        const auto& calibration = channel.calibration;
        const double count = g / static_cast<double>(calibration.unit_per_count) +
                             static_cast<double>(calibration.zero_counts);
        counts.push_back(static_cast<std::uint16_t>(std::clamp(std::lround(count), 0L, 4095L)));
    }
}

constexpr std::array statistics = {
    Statistic::rms,
    Statistic::crest,
    Statistic::kurtosis,
    Statistic::band_low,
    Statistic::band_mid,
    Statistic::band_high,
    Statistic::velocity_rms,
};
using Features = std::array<float, statistics.size()>;

asset::Asset accelerometer() {
    asset::Asset asset;
    EXPECT_TRUE(asset.channels.push_back(asset::shaded_pole_motor().channels[2]));
    for (const Statistic it : statistics)
        EXPECT_TRUE(asset.features.push_back({0, it}));
    return asset;
}

class Cwru : public testing::Test {
  protected:
    void SetUp() override {
        const char* data = std::getenv("STATOR_DATA");
        folder_ = std::filesystem::path{data != nullptr ? data : ""} / "cwru";
        if (data == nullptr || !std::filesystem::exists(folder_))
            GTEST_SKIP() << "no recordings: STATOR_DATA names no folder with cwru/ in it";
    }

    // Of each frame of 100 ms; read once.
    const std::vector<Features>& features_of(const std::string& name) {
        static std::map<std::string, std::vector<Features>> known;
        const auto [place, is_new] = known.try_emplace(name);
        std::vector<Features>& made = place->second;
        if (!is_new) return made;
        const auto recording = read_wav(folder_ / (name + ".wav"));
        EXPECT_TRUE(recording) << name;
        if (!recording) return made;
        const auto counts = as_sampled(*recording, asset_.channels[0]);
        for (std::size_t at = 0; at + waveform_samples <= counts.size(); at += waveform_samples) {
            const auto frame = std::span{counts}.subspan(at, waveform_samples);
            EXPECT_EQ(sensor_fault(asset::Sampling::waveform, frame), SensorFault::none) << name;
            extract(asset_, 0, frame, workspace_, made.emplace_back());
        }
        return made;
    }

    asset::Asset asset_ = accelerometer();
    Workspace workspace_;
    std::filesystem::path folder_;
};

constexpr std::array balls = {"ball_007_0hp", "ball_007_2hp", "ball_021_0hp", "ball_021_2hp"};
constexpr std::array races = {
    "inner_race_007_0hp",
    "inner_race_007_2hp",
    "inner_race_021_0hp",
    "inner_race_021_2hp",
    "outer_race_007_0hp",
    "outer_race_007_2hp",
    "outer_race_021_0hp",
    "outer_race_021_2hp",
};

struct Range {
    float least = std::numeric_limits<float>::max();
    float most = 0.0F;
    float sum = 0.0F;
    std::size_t count = 0;

    void add(float value) {
        least = std::min(least, value);
        most = std::max(most, value);
        sum += value;
        ++count;
    }

    [[nodiscard]] float mean() const { return sum / static_cast<float>(count); }
};

Range range_of(const std::vector<Features>& frames, Statistic statistic) {
    const auto index =
        static_cast<std::size_t>(std::ranges::find(statistics, statistic) - statistics.begin());
    Range made;
    for (const Features& frame : frames)
        made.add(frame.at(index));
    return made;
}

TEST_F(Cwru, EveryFrameOfEveryFaultIsLouderThanEveryHealthyOneByOneFeatureAlone) {
    const auto& healthy = features_of("healthy_0hp");
    ASSERT_GE(healthy.size(), 30U);
    std::vector<std::string> faults{balls.begin(), balls.end()};
    faults.insert(faults.end(), races.begin(), races.end());
    for (const std::string& fault : faults) {
        const auto& frames = features_of(fault);
        ASSERT_GE(frames.size(), 99U);
        for (const Statistic it : {Statistic::rms, Statistic::band_high}) {
            const float least = range_of(frames, it).least;
            const float most = range_of(healthy, it).most;
            EXPECT_GT(least, 1.15F * most) << fault << ' ' << asset::name_of(it);
        }
    }
}

// A fault in a race strikes once a passing ball; one in a ball strikes where it can, and does not
// show here: three of those four have frames within the healthy range.
TEST_F(Cwru, EveryFrameOfARacesFaultHasMoreKurtosisThanEveryHealthyOneAndMoreCrestOnTheWhole) {
    const auto& healthy = features_of("healthy_0hp");
    EXPECT_NEAR(range_of(healthy, Statistic::kurtosis).most, 3.0F, 0.3F);
    for (const std::string fault : races) {
        const auto& frames = features_of(fault);
        const Range kurtosis = range_of(frames, Statistic::kurtosis);
        EXPECT_GT(kurtosis.least, 1.3F * range_of(healthy, Statistic::kurtosis).most) << fault;
        // The largest of 1,310 samples alone: in three of these eight a frame may look healthy.
        const Range crest = range_of(frames, Statistic::crest);
        const Range healthy_crest = range_of(healthy, Statistic::crest);
        EXPECT_GT(crest.mean(), healthy_crest.most) << fault;
    }
}

// As a baseline sees it: the first half of the healthy frames is the norm, the rest is judged.
TEST_F(Cwru, FromTheHealthyBaselineNoHealthyFrameStraysAndEveryFaultyOneDoes) {
    const auto& healthy = features_of("healthy_0hp");
    const std::size_t half = healthy.size() / 2;
    Features mean{};
    Features sd{};
    for (std::size_t i = 0; i < mean.size(); ++i) {
        for (std::size_t k = 0; k < half; ++k)
            mean.at(i) += healthy[k].at(i) / static_cast<float>(half);
        for (std::size_t k = 0; k < half; ++k)
            sd.at(i) += std::pow(healthy[k].at(i) - mean.at(i), 2.0F) / static_cast<float>(half);
        sd.at(i) = std::sqrt(sd.at(i));
    }
    const auto distances = [&](std::span<const Features> frames) {
        Range made;
        for (const Features& frame : frames) {
            float sum = 0.0F;
            for (std::size_t i = 0; i < mean.size(); ++i)
                sum += std::pow((frame.at(i) - mean.at(i)) / sd.at(i), 2.0F);
            made.add(std::sqrt(sum / static_cast<float>(mean.size())));
        }
        return made;
    };
    const float strays = distances(std::span{healthy}.subspan(half)).most;
    std::printf("healthy, judged: at most %.1f sd\n", static_cast<double>(strays));
    EXPECT_LT(strays, 3.0F);
    std::vector<std::string> faults{balls.begin(), balls.end()};
    faults.insert(faults.end(), races.begin(), races.end());
    for (const std::string& fault : faults) {
        const float least = distances(features_of(fault)).least;
        std::printf("%s: at least %.1f sd\n", fault.c_str(), static_cast<double>(least));
        EXPECT_GT(least, 2.0F * strays) << fault;
    }
}

}  // namespace
}  // namespace stator::signal
