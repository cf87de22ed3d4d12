#include "shared/signal/extract_q15.h"

#include "shared/signal/q15.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>

namespace stator::signal {

namespace {

using asset::Statistic;

float real(const q15::Scaled& it) {
    return std::ldexp(static_cast<float>(it.value), it.exponent);
}

struct Moments {
    q15::Scaled mean;
    q15::Scaled rms;
    q15::Scaled peak;
    std::uint32_t kurtosis_4096ths = 0;
};

float moment(Statistic statistic, const Moments& moments, const asset::Calibration& calibration) {
    const float unit = std::fabs(calibration.unit_per_count);
    const float rms = real(moments.rms);
    switch (statistic) {
        case Statistic::mean:
            return (real(moments.mean) - calibration.zero_counts) * calibration.unit_per_count +
                   calibration.offset;
        case Statistic::rms:
            return rms * unit;
        case Statistic::peak:
            return real(moments.peak) * unit;
        case Statistic::crest:
            return rms > 0.0F ? real(moments.peak) / rms : 0.0F;
        case Statistic::kurtosis:
            return static_cast<float>(moments.kurtosis_4096ths) / 4096.0F;
        default:
            return 0.0F;
    }
}

class Lines {
  public:
    Lines(std::span<const std::int16_t> packed, const q15::Spectrum& spectrum)
        : packed_{packed},
          spectrum_{spectrum},
          step_hz_{static_cast<float>(sampling_rate_hz) / static_cast<float>(packed.size())} {}

    [[nodiscard]] float peak_hz() const {
        return static_cast<float>(q15::peak_line_4096ths(packed_)) / 4096.0F * step_hz_;
    }

    [[nodiscard]] float band(float low_hz, float high_hz) const {
        return real(q15::amplitude(packed_, spectrum_, first_of(low_hz), first_of(high_hz)));
    }

    [[nodiscard]] float velocity() const {
        // As the float path: v = a / (2 pi f); g to m/s^2, m/s to mm/s.
        constexpr auto scale = static_cast<float>(9.80665 * 1000.0 / (2.0 * std::numbers::pi));
        return scale / step_hz_ *
               real(q15::integrated(packed_, spectrum_, first_of(10.0F), first_of(1000.0F)));
    }

  private:
    // The first line at or above it, 1 .. n/2.
    [[nodiscard]] std::size_t first_of(float hz) const {
        const auto last = static_cast<float>(packed_.size() / 2);
        return static_cast<std::size_t>(std::clamp(std::ceil(hz / step_hz_), 1.0F, last));
    }

    std::span<const std::int16_t> packed_;
    const q15::Spectrum& spectrum_;
    float step_hz_;
};

float spectral(Statistic statistic, const Lines& lines, float unit) {
    switch (statistic) {
        case Statistic::peak_hz:
            return lines.peak_hz();
        case Statistic::band_low:
            return lines.band(10.0F, 500.0F) * unit;
        case Statistic::band_mid:
            return lines.band(500.0F, 2000.0F) * unit;
        case Statistic::band_high:
            return lines.band(2000.0F, 1e9F) * unit;
        case Statistic::velocity_rms:
            return lines.velocity() * unit;
        default:
            return 0.0F;
    }
}

}  // namespace

void Q15Extractor::extract(
    const asset::Asset& asset,
    std::size_t channel,
    std::span<const std::uint16_t> counts,
    Workspace& /*workspace*/,
    std::span<float> features
) {
    const asset::Channel& it = asset.channels[channel];
    assert(counts.size() == frame_samples(it.sampling));
    assert(features.size() >= asset.features.size());
    const std::span<std::int16_t> block = std::span{block_}.first(counts.size());
    const q15::Block seen = q15::block_of(counts, block);
    const Moments moments{
        .mean = seen.mean,
        .rms = seen.rms,
        .peak = {.value = q15::peak_of(block), .exponent = seen.exponent},
        .kurtosis_4096ths = q15::kurtosis_4096ths(block),
    };
    const auto packed = block.first(std::min(block.size(), q15::samples_max));
    const float unit = std::fabs(it.calibration.unit_per_count);
    q15::Spectrum spectrum;
    bool transformed = false;
    for (std::size_t i = 0; i < asset.features.size(); ++i) {
        const asset::Feature& feature = asset.features[i];
        if (feature.channel != channel || asset::needs_long_window(feature.statistic)) continue;
        if (feature.statistic < Statistic::peak_hz) {
            features[i] = moment(feature.statistic, moments, it.calibration);
            continue;
        }
        if (!asset::offers(it.sampling, feature.statistic)) {
            features[i] = 0.0F;
            continue;
        }
        if (!transformed) spectrum = q15::transform(packed, seen.exponent);
        transformed = true;
        features[i] = spectral(feature.statistic, Lines{packed, spectrum}, unit);
    }
}

}  // namespace stator::signal
