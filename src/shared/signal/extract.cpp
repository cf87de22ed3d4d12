#include "shared/signal/extract.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>

namespace stator::signal {

namespace {

using asset::Statistic;

struct Moments {
    float mean = 0.0F;
    float rms = 0.0F;  // mean removed
    float peak = 0.0F;
    float kurtosis = 0.0F;
};

// Two passes: the second works on deviations, so that float is enough. Leaves them in `samples`.
Moments moments_of(std::span<float> samples) {
    Moments made;
    const auto count = static_cast<float>(samples.size());
    float sum = 0.0F;
    for (const float x : samples)
        sum += x;
    made.mean = sum / count;
    float second = 0.0F;
    float fourth = 0.0F;
    for (float& x : samples) {
        x -= made.mean;
        const float square = x * x;
        second += square;
        fourth += square * square;
        made.peak = std::max(made.peak, std::fabs(x));
    }
    second /= count;
    fourth /= count;
    made.rms = std::sqrt(second);
    made.kurtosis = second > 0.0F ? fourth / (second * second) : 0.0F;
    return made;
}

struct Band {
    float low_hz;
    float high_hz;
};

float line_step_hz(std::span<const float> packed) {
    return static_cast<float>(sampling_rate_hz) / static_cast<float>(packed.size());
}

float band_power(std::span<const float> packed, Band band, bool as_velocity) {
    const float line_hz = line_step_hz(packed);
    float sum = 0.0F;
    for (std::size_t k = 1; k < packed.size() / 2; ++k) {
        const float hz = static_cast<float>(k) * line_hz;
        if (hz < band.low_hz || hz >= band.high_hz) continue;
        float line = power(packed, k);
        if (as_velocity) line /= hz * hz;
        sum += line;
    }
    // One-sided: twice; by Parseval over n samples and the window's power.
    return 2.0F * sum / (static_cast<float>(packed.size()) * hamming_power(packed.size()));
}

float spectral(Statistic statistic, std::span<const float> packed) {
    switch (statistic) {
        case Statistic::peak_hz:
            return peak_line(packed) * line_step_hz(packed);
        case Statistic::band_low:
            return std::sqrt(band_power(packed, {10.0F, 500.0F}, false));
        case Statistic::band_mid:
            return std::sqrt(band_power(packed, {500.0F, 2000.0F}, false));
        case Statistic::band_high:
            return std::sqrt(band_power(packed, {2000.0F, 1e9F}, false));
        case Statistic::velocity_rms: {
            // v = a / (2 pi f); g to m/s^2, m/s to mm/s
            constexpr auto scale = static_cast<float>(9.80665 * 1000.0 / (2.0 * std::numbers::pi));
            return scale * std::sqrt(band_power(packed, {10.0F, 1000.0F}, true));
        }
        default:
            return 0.0F;
    }
}

bool is_spectral(Statistic statistic) {
    return statistic >= Statistic::peak_hz;
}

float moment(Statistic statistic, const Moments& moments) {
    switch (statistic) {
        case Statistic::mean:
            return moments.mean;
        case Statistic::rms:
            return moments.rms;
        case Statistic::peak:
            return moments.peak;
        case Statistic::crest:
            return moments.rms > 0.0F ? moments.peak / moments.rms : 0.0F;
        case Statistic::kurtosis:
            return moments.kurtosis;
        default:
            return 0.0F;
    }
}

float physical(std::uint16_t counts, const asset::Calibration& calibration) {
    return (static_cast<float>(counts) - calibration.zero_counts) * calibration.unit_per_count +
           calibration.offset;
}

}  // namespace

void extract(
    const asset::Asset& asset,
    std::size_t channel,
    std::span<const std::uint16_t> counts,
    Workspace& workspace,
    std::span<float> features
) {
    const asset::Channel& it = asset.channels[channel];
    assert(counts.size() == frame_samples(it.sampling));
    assert(features.size() >= asset.features.size());
    const std::span<float> samples = std::span{workspace.samples}.first(counts.size());
    for (std::size_t i = 0; i < counts.size(); ++i)
        samples[i] = physical(counts[i], it.calibration);
    const std::size_t lines = std::min(samples.size(), fft_samples_max);
    const std::span<float> spectrum = std::span{workspace.spectrum}.first(lines);
    const Moments moments = moments_of(samples);
    bool transformed = false;
    for (std::size_t i = 0; i < asset.features.size(); ++i) {
        const asset::Feature& feature = asset.features[i];
        if (feature.channel != channel) continue;
        if (!is_spectral(feature.statistic)) {
            features[i] = moment(feature.statistic, moments);
            continue;
        }
        if (asset::needs_long_window(feature.statistic)) continue;
        if (!asset::offers(it.sampling, feature.statistic)) {
            features[i] = 0.0F;
            continue;
        }
        if (!transformed) {
            std::copy_n(samples.begin(), spectrum.size(), spectrum.begin());
            hamming(spectrum);
            real_fft(spectrum);
            transformed = true;
        }
        features[i] = spectral(feature.statistic, spectrum);
    }
}

}  // namespace stator::signal
