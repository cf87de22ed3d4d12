#include "shared/detect/fold.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace stator::detect {

namespace {

using Vector = std::array<float, asset::features_max>;

bool all_finite(std::span<const float> features) {
    return std::ranges::all_of(features, [](float x) { return std::isfinite(x); });
}

// The place of reading `index` in a ring of `count`; 32 bits are enough for it on a chip, too.
std::size_t place_of(std::uint64_t index, std::size_t count) {
    return static_cast<std::size_t>(index % count);
}

// The mean of the last n readings, summed oldest first.
Vector smoothed(State& state, std::span<const float> features, const Parameters& parameters) {
    const std::size_t count = parameters.smooth_count;
    Vector& newest = state.recent[place_of(state.count, count)];
    std::copy(features.begin(), features.end(), newest.begin());
    Vector made{};
    const std::size_t have =
        state.count < count ? static_cast<std::size_t>(state.count) + 1 : count;
    for (std::size_t age = have; age-- > 0;) {
        const Vector& reading = state.recent[place_of(state.count + count - age, count)];
        for (std::size_t i = 0; i < features.size(); ++i)
            made[i] += reading[i];
    }
    for (std::size_t i = 0; i < features.size(); ++i)
        made[i] /= static_cast<float>(have);
    return made;
}

Vector standardised(const State& state, const Vector& smooth, const Parameters& parameters) {
    Vector made{};
    for (std::size_t i = 0; i < parameters.feature_count; ++i) {
        const float z = (smooth[i] - parameters.mean[i]) / parameters.sd[i];
        made[i] = std::clamp(z - state.slow_shift_sd[i], -parameters.range_sd, parameters.range_sd);
    }
    return made;
}

// The slow baseline follows what is left of the standardised reading.
void adapt(State& state, const Vector& standard, const Parameters& parameters) {
    if (parameters.adapt_rate <= 0.0F) return;
    for (std::size_t i = 0; i < parameters.feature_count; ++i)
        state.slow_shift_sd[i] = std::clamp(
            state.slow_shift_sd[i] + parameters.adapt_rate * standard[i],
            -parameters.anchor_sd_max,
            parameters.anchor_sd_max
        );
}

// The window's vectors, oldest first, the newest among them.
void put_input(
    State& state, const Vector& standard, const Parameters& parameters, Pending& pending
) {
    const std::size_t features = parameters.feature_count;
    const std::size_t window = parameters.window_count;
    state.window[place_of(state.count, window)] = standard;
    for (std::size_t age = window; age-- > 0;) {
        const Vector& vector = state.window[place_of(state.count + window - age, window)];
        std::copy_n(
            vector.begin(),
            features,
            pending.input.begin() + static_cast<std::ptrdiff_t>((window - 1 - age) * features)
        );
    }
}

void persist(State& state, const Parameters& parameters, Verdict& verdict) {
    if (!state.alarm) {
        state.over = state.ewma >= parameters.threshold ? state.over + 1 : 0;
        if (state.over >= parameters.raise_count) {
            state.alarm = verdict.raised = true;
            state.under = 0;
        }
        return;
    }
    state.under = state.ewma < parameters.clear_below ? state.under + 1 : 0;
    if (state.under >= parameters.clear_count) {
        state.alarm = false;
        verdict.cleared = true;
        state.over = 0;
    }
}

}  // namespace

void begin(
    State& state, std::span<const float> features, const Parameters& parameters, Pending& pending
) {
    assert(features.size() == parameters.feature_count);
    assert(parameters.smooth_count >= 1 && parameters.smooth_count <= smooth_max);
    assert(parameters.window_count >= 1 && parameters.window_count <= window_max);
    pending.asks = all_finite(features);
    if (!pending.asks) return;
    const Vector smooth = smoothed(state, features, parameters);
    pending.standard = standardised(state, smooth, parameters);
    put_input(state, pending.standard, parameters, pending);
}

Verdict finish(State& state, const Pending& pending, float value, const Parameters& parameters) {
    Verdict verdict;
    verdict.alarm = state.alarm;
    if (!pending.asks) {
        verdict.value = state.ewma;
        return verdict;
    }
    const Vector& standard = pending.standard;
    const std::uint64_t warm_up = parameters.smooth_count + parameters.window_count - 1;
    ++state.count;
    if (state.count < warm_up) return verdict;
    state.ewma =
        state.count == warm_up ? value : state.ewma + parameters.ewma_alpha * (value - state.ewma);
    persist(state, parameters, verdict);
    // A reading near the limit teaches nothing either: what is suspected is not normal.
    if (!state.alarm && state.ewma < parameters.clear_below) adapt(state, standard, parameters);
    verdict.ready = true;
    verdict.value = state.ewma;
    verdict.alarm = state.alarm;
    float sum = 0.0F;
    for (std::size_t i = 0; i < parameters.feature_count; ++i)
        sum += standard[i] * standard[i];
    if (sum > 0.0F)
        for (std::size_t i = 0; i < parameters.feature_count; ++i)
            verdict.contribution[i] = standard[i] * standard[i] / sum;
    return verdict;
}

Verdict step(
    State& state,
    std::span<const float> features,
    const Parameters& parameters,
    const Network& network
) {
    Pending pending;
    begin(state, features, parameters, pending);
    float value = 0.0F;
    if (pending.asks) {
        const std::size_t inputs = parameters.feature_count * parameters.window_count;
        network.run(network.self, std::span{pending.input}.first(inputs), std::span{&value, 1});
    }
    return finish(state, pending, value, parameters);
}

std::span<const float> deviation_sd(const State& state, const Parameters& parameters) {
    if (state.count == 0) return {};
    const std::size_t newest = place_of(state.count - 1, parameters.window_count);
    return std::span{state.window[newest]}.first(parameters.feature_count);
}

}  // namespace stator::detect
