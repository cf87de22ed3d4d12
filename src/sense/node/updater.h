// The Updater brings a new model from the registry into the idle slot, tries it, and commits it.
//
//   idle -> manifest -> erasing -> loading -> [checked, swapped] trial -> committed -> idle
//             | not for us: silently idle                | refused: told, the old model runs on
//
// One fetch or one flash sector a step. A lost connection is resumed at the byte where it broke.
// The trial ends well when enough readings were judged and the site acknowledged something since
// the swap; at the deadline, or with a value that is no number, the old model comes back. Until the
// commit record is whole a restart finds the old slot.
#pragma once

#include "sense/hal/hal.h"
#include "sense/node/config.h"
#include "sense/node/download.h"
#include "sense/node/engine.h"
#include "sense/node/outbox.h"
#include "sense/node/slots.h"
#include "shared/bundle/manifest.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace stator::node {

enum class UpdateState : std::uint8_t { idle, manifest, erasing, loading, trial };

class Updater {
  public:
    Updater(
        hal::Hal& hal,
        const asset::Asset& asset,
        const Config& config,
        Slots& slots,
        Engine& engine,
        Outbox& outbox,
        std::span<char> envelope
    );

    // At the start: verifies and runs what the last commit names; where that cannot run, the
    // factory's model, and says so. The recorded release stays.
    void load();
    // Asks for a model; while one is under way the latest wish waits.
    void request(std::string_view model);

    // `fetch_free`: nobody else uses the Fetch door.
    void step(std::int64_t now_us, bool fetch_free);

    // During a trial.
    void count_verdict(bool good);
    void count_acknowledgement();

    [[nodiscard]] UpdateState state() const { return state_; }

  private:
    [[nodiscard]] bool load_committed(bundle::Refusal& refusal);
    [[nodiscard]] std::uint32_t release_to_exceed() const;
    void say(wire::ModelState state, std::string_view reason);
    void refuse(std::string_view reason);
    void begin();
    void fetch(std::int64_t now_us);
    void take_manifest(const hal::FetchReply& reply);
    void manifest_complete();
    void erase();
    void take_tflite(const hal::FetchReply& reply);
    void consider(std::int64_t now_us);
    void judge_trial(std::int64_t now_us);
    void commit();

    hal::Hal& hal_;
    const asset::Asset& asset_;
    const Config& config_;
    Slots& slots_;
    Engine& engine_;
    Outbox& outbox_;
    std::span<char> envelope_;
    UpdateState state_ = UpdateState::idle;
    wire::FileName model_;
    wire::FileName wish_;
    std::uint32_t release_ = 0;
    std::size_t envelope_bytes_ = 0;
    std::size_t tflite_bytes_ = 0;  // as the manifest says
    Download download_;
    std::int64_t trial_end_us_ = 0;
    std::uint32_t judged_ = 0;
    bool bad_value_ = false;
    bool acknowledged_ = false;
};

}  // namespace stator::node
