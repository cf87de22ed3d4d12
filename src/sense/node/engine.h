// The Engine runs the model: the confirmed one, and during a trial its successor with a way back.
//
// consider() does everything that must be true before a model may run (bundle::check, load into the
// spare arena, golden sequences) and then swaps, between two readings, without a restart. The old
// one stays loaded until confirm(); go_back() returns to it with the state it had.
#pragma once

#include "sense/node/slots.h"
#include "shared/asset/asset.h"
#include "shared/bundle/manifest.h"
#include "shared/detect/fold.h"
#include "shared/judge/judge.h"
#include "shared/tinyml/model.h"
#include "shared/wire/messages.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace stator::node {

class Engine {
  public:
    using Arenas = std::array<std::span<std::byte>, 2>;

    // `level`: of the models that it takes.
    Engine(
        const asset::Asset& asset, bundle::Verifier& verifier, Arenas arenas, std::uint32_t level
    );

    // Swaps to the model that lies in flash, or says why not and changes nothing. `release_now`:
    // what it must exceed.
    [[nodiscard]] base::Result<void> consider(
        std::string_view name,  // that was asked for; empty: whichever it is
        std::string_view envelope,
        std::span<const std::byte> tflite,
        std::uint32_t release_now,
        bundle::Refusal& refusal
    );
    void confirm();
    void go_back();

    [[nodiscard]] bool on_trial() const { return on_trial_; }

    // Nothing without a model. A feature that is not finite must not come here.
    [[nodiscard]] std::optional<detect::Verdict> judge(std::span<const float> features);

    // What runs, for whoever keeps the folds (level 2 has one for each device); valid until the
    // next swap.
    [[nodiscard]] std::optional<judge::Model> judging();

    [[nodiscard]] std::string_view model() const;  // empty for none
    [[nodiscard]] std::uint32_t release() const;
    [[nodiscard]] float threshold() const;

  private:
    struct Unit {
        std::optional<tinyml::Model> model;
        detect::Parameters fold;
        detect::State state;
        wire::FileName name;
        std::uint32_t release = 0;
        bool keep_state = false;
    };

    [[nodiscard]] Unit& now() { return units_[now_]; }

    [[nodiscard]] const Unit& now() const { return units_[now_]; }

    const asset::Asset& asset_;
    bundle::Verifier& verifier_;
    Arenas arenas_;
    std::uint32_t level_;
    std::array<Unit, 2> units_;
    std::size_t now_ = 0;
    bool on_trial_ = false;
};

}  // namespace stator::node
