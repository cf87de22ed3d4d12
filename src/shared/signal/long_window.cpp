#include "shared/signal/long_window.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

namespace stator::signal {

namespace {

std::uint16_t rest_of(const asset::Calibration& calibration) {
    return static_cast<std::uint16_t>(std::clamp(std::lround(calibration.zero_counts), 0L, 65'535L)
    );
}

}  // namespace

LongWindow::LongWindow(const asset::Calibration& calibration)
    : calibration_{calibration}, decimator_{rest_of(calibration)} {}

void LongWindow::push(std::span<const std::uint16_t> counts) {
    for (const std::uint16_t count : counts) {
        recent_[recent_next_] = count;
        recent_next_ = (recent_next_ + 1) % recent_.size();
        recent_count_ = std::min(recent_count_ + 1, recent_.size());
        const auto made = decimator_.push(count);
        if (!made) continue;
        window_[window_next_] = *made;
        window_next_ = (window_next_ + 1) % window_.size();
        decimated_ = std::min(decimated_ + 1, Decimator::settling + signature_samples);
    }
}

void LongWindow::restart() {
    *this = LongWindow{calibration_};
}

bool LongWindow::frame(std::span<std::uint16_t> into) const {
    assert(into.size() <= recent_.size());
    if (into.size() > recent_count_) return false;
    for (std::size_t i = 0; i < into.size(); ++i)
        into[i] = recent_[(recent_next_ + recent_.size() - into.size() + i) % recent_.size()];
    return true;
}

void LongWindow::features(
    const asset::Asset& asset, std::size_t channel, Workspace& workspace, std::span<float> into
) const {
    Signature signature;
    if (full()) {
        const std::span<float, signature_samples> samples = workspace.spectrum;
        for (std::size_t i = 0; i < samples.size(); ++i) {
            const std::int32_t it = window_[(window_next_ + i) % window_.size()];
            samples[i] = static_cast<float>(it) * (calibration_.unit_per_count / 256.0F);
        }
        signature = signature_of(samples, asset.rotor);
    }
    for (std::size_t i = 0; i < asset.features.size(); ++i) {
        const asset::Feature& feature = asset.features[i];
        if (feature.channel != channel || !asset::needs_long_window(feature.statistic)) continue;
        into[i] =
            full() ? of(signature, feature.statistic) : std::numeric_limits<float>::quiet_NaN();
    }
}

}  // namespace stator::signal
