// The fold is everything of a detector that has memory: (state, features) -> (state, verdict).
//
//   features -> smooth (mean of the last n) -> standardise by the slow baseline (+-16 sd)
//            -> window of the last w vectors -> model -> EWMA -> persistence -> alarm
//
// The slow baseline follows the machine, never while in alarm, and never further than
// `anchor_sd_max` from the commissioning baseline. The value is in [0, 1], 0.5 at the limit. Pure
// float arithmetic in a fixed order: the same bits on device, in level 2 and in training.
#pragma once

#include "shared/asset/asset.h"
#include "shared/base/fixed.h"
#include "shared/tinyml/model.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace stator::detect {

inline constexpr std::size_t smooth_max = 8;
inline constexpr std::size_t window_max = 8;

struct Parameters {
    std::size_t feature_count = 0;
    std::array<float, asset::features_max> mean{};  // commissioning baseline, physical units
    std::array<float, asset::features_max> sd{};    // floored: never 0
    std::uint32_t smooth_count = 5;                 // 1..smooth_max
    std::uint32_t window_count = 1;  // vectors per model input, oldest first; level 2 uses more
    float range_sd = 16.0F;          // standardised inputs are clamped to +- this
    float adapt_rate = 0.0F;         // of the slow baseline, per reading; 0: frozen
    float anchor_sd_max = 0.0F;      // how far it may move
    float ewma_alpha = 0.1F;
    float threshold = 0.5F;
    float clear_below = 0.4F;       // an alarm ends only below this (dead-band)
    std::uint32_t raise_count = 3;  // readings in a row over the threshold
    std::uint32_t clear_count = 10;
};

struct State {
    std::array<std::array<float, asset::features_max>, smooth_max> recent{};
    std::array<std::array<float, asset::features_max>, window_max> window{};
    std::array<float, asset::features_max> slow_shift_sd{};  // slow baseline - anchor, in sd
    std::uint64_t count = 0;
    float ewma = 0.0F;
    std::uint32_t over = 0;
    std::uint32_t under = 0;
    bool alarm = false;
};

struct Verdict {
    bool ready = false;  // false until the smoother and the window are full: value is 0
    float value = 0.0F;
    bool alarm = false;
    bool raised = false;                                    // the alarm began with this reading
    bool cleared = false;                                   // ended
    std::array<float, asset::features_max> contribution{};  // share of the squared distance, sum 1
};

// What runs the network: tinyml's Model, or on a server another engine. run() must fill the output.
struct Network {
    void* self = nullptr;
    void (*run)(void* self, std::span<const float> input, std::span<float> output) = nullptr;
};

// How tinyml runs it.
[[nodiscard]] inline Network network_of(tinyml::Model& model) {
    return {&model, [](void* self, std::span<const float> input, std::span<float> output) {
                static_cast<tinyml::Model*>(self)->invoke(input, output);
            }};
}

// A step whose network has not run yet: step() is begin(), the run, finish(). Who has readings of
// many machines begins a step for each, and runs the network once over all inputs.
struct Pending {
    bool asks = false;  // false: the features are not numbers, and nothing is to be run
    std::array<float, asset::features_max> standard{};
    std::array<float, asset::features_max * window_max> input{};  // feature_count * window_count
};

void begin(
    State& state, std::span<const float> features, const Parameters& parameters, Pending& pending
);
// `value` is the network's, where it was asked; a state's begin() and finish() alternate.
[[nodiscard]] Verdict finish(
    State& state, const Pending& pending, float value, const Parameters& parameters
);

[[nodiscard]] Verdict step(
    State& state,
    std::span<const float> features,
    const Parameters& parameters,
    const Network& network
);

// How far the last reading that step() took had moved from the slow baseline, smoothed, in sd: what
// the model saw of it. Empty while there was none.
[[nodiscard]] std::span<const float> deviation_sd(const State& state, const Parameters& parameters);

[[nodiscard]] inline Verdict step(
    State& state,
    std::span<const float> features,
    const Parameters& parameters,
    tinyml::Model& model
) {
    return step(state, features, parameters, network_of(model));
}

}  // namespace stator::detect
