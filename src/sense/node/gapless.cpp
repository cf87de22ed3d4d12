#include "sense/node/gapless.h"

#include <algorithm>
#include <cassert>

namespace stator::node {

namespace {

using base::Fault;
using base::Result;

constexpr std::size_t piece_samples = 262;
constexpr std::int64_t second_us = 1'000'000;
// A converter whose clock is fast must not fill what lies between, and a file of samples, which
// could give all of them at once, is taken at about the pace at which they were measured.
constexpr std::int64_t rate_hz_max = hal::sampling_rate_hz * 101 / 100;
constexpr std::int64_t owed_millionths_max = rate_hz_max * second_us;

}  // namespace

Gapless::Gapless(hal::Adc& adc, const asset::Asset& asset, std::span<signal::LongWindow> windows)
    : adc_{adc}, asset_{asset} {
    std::size_t next = 0;
    for (std::size_t channel = 0; channel < asset.channels.size(); ++channel) {
        if (!asset::needs_long_window(asset, channel)) continue;
        assert(next < windows.size());
        signals_[channel].window = &windows[next++];
    }
}

std::string_view Gapless::missing() {
    for (std::size_t channel = 0; channel < asset_.channels.size(); ++channel) {
        if (signals_[channel].window == nullptr) continue;
        const auto none = adc_.follow(channel, {});
        if (!none && none.error() == Fault::not_found) return asset_.channels[channel].name.view();
    }
    return {};
}

void Gapless::tend(std::int64_t now_us) {
    const std::int64_t elapsed_us =
        started_ ? std::clamp<std::int64_t>(now_us - now_us_, 0, second_us) : 0;
    now_us_ = now_us;
    for (std::size_t channel = 0; channel < asset_.channels.size(); ++channel) {
        Signal& signal = signals_[channel];
        if (!started_) signal.heard_us = now_us;
        if (signal.window != nullptr) tend(channel, signal, elapsed_us);
    }
    started_ = true;
}

void Gapless::tend(std::size_t channel, Signal& signal, std::int64_t elapsed_us) {
    signal.owed_millionths =
        std::min(signal.owed_millionths + elapsed_us * rate_hz_max, owed_millionths_max);
    std::array<std::uint16_t, piece_samples> piece{};
    for (;;) {
        const auto owed = static_cast<std::size_t>(signal.owed_millionths / second_us);
        const auto into = std::span{piece}.first(std::min(owed, piece.size()));
        if (into.empty()) break;
        const Result<std::size_t> got = adc_.follow(channel, into);
        if (!got && got.error() == Fault::closed) signal.window->restart();
        if (!got || *got == 0) break;
        signal.window->push(into.first(*got));
        signal.owed_millionths -= static_cast<std::int64_t>(*got) * second_us;
        signal.heard_us = now_us_;
        signal.silent = false;
    }
    if (signal.silent || now_us_ - signal.heard_us < second_us) return;
    signal.silent = true;
    signal.window->restart();
}

Result<void> Gapless::read(std::size_t channel, std::span<std::uint16_t> counts) {
    const Signal* const signal = channel < signals_.size() ? &signals_[channel] : nullptr;
    if (signal == nullptr || signal->window == nullptr) return adc_.read(channel, counts);
    if (signal->silent) return std::unexpected{Fault::io};
    if (!signal->window->frame(counts)) return std::unexpected{Fault::again};
    return {};
}

void Gapless::extract(
    const asset::Asset& asset,
    std::size_t channel,
    std::span<const std::uint16_t> counts,
    signal::Workspace& workspace,
    std::span<float> features
) {
    if (asset.arithmetic == asset::Arithmetic::q15)
        q15_.extract(asset, channel, counts, workspace, features);
    else
        signal::extract(asset, channel, counts, workspace, features);
    if (signals_[channel].window != nullptr)
        signals_[channel].window->features(asset, channel, workspace, features);
}

bool Gapless::full() const {
    return std::ranges::all_of(signals_, [](const Signal& signal) {
        return signal.window == nullptr || signal.window->full();
    });
}

}  // namespace stator::node
