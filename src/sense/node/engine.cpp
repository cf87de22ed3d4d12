#include "sense/node/engine.h"

#include <cassert>

namespace stator::node {

using base::Fault;
using base::Result;

Engine::Engine(
    const asset::Asset& asset, bundle::Verifier& verifier, Arenas arenas, std::uint32_t level
)
    : asset_{asset}, verifier_{verifier}, arenas_{arenas}, level_{level} {}

Result<void> Engine::consider(
    std::string_view name,
    std::string_view envelope,
    std::span<const std::byte> tflite,
    std::uint32_t release_now,
    bundle::Refusal& refusal
) {
    assert(!on_trial_);
    const std::size_t spare = now().model ? 1 - now_ : now_;
    const bundle::Receiver receiver{
        .device_class = asset_.device_class,
        .level = level_,
        .release = release_now,
        .feature_set = asset::feature_set_hash(asset_),
        .arena_bytes_max = arenas_[spare].size(),
        .name = bundle::ModelName{name},
    };
    const auto manifest = bundle::check(envelope, tflite, receiver, verifier_, refusal);
    if (!manifest) return std::unexpected{manifest.error()};
    if (manifest->fold.feature_count != asset_.features.size()) {
        refusal = "the model's feature count is not the device's";
        return std::unexpected{Fault::bad_input};
    }
    tinyml::Reason reason;
    auto model = tinyml::Model::load(tflite, arenas_[spare], reason);
    if (!model) {
        refusal = reason.view();
        return std::unexpected{model.error()};
    }
    const auto golden = bundle::run_golden(*manifest, *model, refusal);
    if (!golden) return golden;

    Unit& unit = units_[spare];
    unit.model = *model;
    unit.fold = manifest->fold;
    unit.state = manifest->keep_state && now().model ? now().state : detect::State{};
    unit.name = manifest->name.view();
    unit.release = manifest->release;
    unit.keep_state = manifest->keep_state;
    on_trial_ = true;
    now_ = spare;
    return {};
}

void Engine::confirm() {
    if (!on_trial_) return;
    units_[1 - now_].model.reset();
    on_trial_ = false;
}

void Engine::go_back() {
    now().model.reset();
    if (units_[1 - now_].model) now_ = 1 - now_;
    on_trial_ = false;
}

std::optional<detect::Verdict> Engine::judge(std::span<const float> features) {
    Unit& unit = now();
    if (!unit.model) return std::nullopt;
    return detect::step(unit.state, features, unit.fold, *unit.model);
}

std::optional<judge::Model> Engine::judging() {
    Unit& unit = now();
    if (!unit.model) return std::nullopt;
    return judge::Model{
        unit.name.view(), unit.fold, unit.keep_state, detect::network_of(*unit.model)
    };
}

std::string_view Engine::model() const {
    return now().model ? now().name.view() : std::string_view{};
}

std::uint32_t Engine::release() const {
    return now().model ? now().release : 0;
}

float Engine::threshold() const {
    return now().fold.threshold;
}

}  // namespace stator::node
