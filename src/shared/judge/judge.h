// Judge is level 2's work on one reading that is new: its verdict, is an alert due, and what it
// says.
//
// The service on a server and the microcontroller that stands in its place call this, so that the
// same readings give the same alerts, bit for bit. No heap and no operating system; the caller
// keeps one Memory for each device, and says what it sends.
#pragma once

#include "shared/asset/asset.h"
#include "shared/bundle/manifest.h"
#include "shared/detect/fold.h"
#include "shared/suspect/suspect.h"
#include "shared/wire/messages.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace stator::judge {

inline constexpr std::int64_t alert_interval_ms = 1000;  // of the device's time, in one alarm

struct Memory {  // of one device
    detect::State fold;
    bundle::ModelName model;  // that the fold was run with
    std::int64_t alerted_unix_ms = 0;
};

struct Model {  // that judges now
    std::string_view name;
    const detect::Parameters& fold;
    bool keep_state = false;
    detect::Network network;
};

struct Bands {  // from where on a value is what; of the asset
    float potential = 0.5F;
    float imminent = 0.8F;
};

[[nodiscard]] inline Bands bands_of(const asset::Asset& asset) {
    return {asset.severity_potential, asset.severity_imminent};
}

struct Reading {                                        // as it is judged
    std::array<float, asset::features_max> features{};  // the asset's, in its order
    std::size_t feature_count = 0;
    std::int64_t time_unix_ms = 0;
};

// Nothing when a feature is missing: such a reading is not judged. `received_unix_ms`: its time
// where it carries none.
[[nodiscard]] std::optional<Reading> reading_of(
    const wire::Telemetry& telemetry, const asset::Asset& asset, std::int64_t received_unix_ms
);

struct Judgement {
    detect::Verdict verdict;
    bool alert_due = false;
    suspect::Suspicion suspicion = suspect::Suspicion::none;  // of an alert that is due, in alarm
};

// The old model's memory means nothing to the new one, unless its maker says so.
void take_model(Memory& memory, const Model& model);
// True when taking it would leave an alarm that nobody ends: then a withdrawal is to be sent.
[[nodiscard]] bool must_withdraw(const Memory& memory, const Model& model);

// `asset`: whose the reading is.
[[nodiscard]] Judgement judge(
    Memory& memory, const Reading& reading, const asset::Asset& asset, const Model& model
);

// The same in two halves, around a run of the network that is done for many devices at once
// (detect::Pending).
void begin(Memory& memory, const Reading& reading, const Model& model, detect::Pending& pending);
[[nodiscard]] Judgement finish(
    Memory& memory,
    const Reading& reading,
    const asset::Asset& asset,
    const Model& model,
    const detect::Pending& pending,
    float value
);

// All of an alert but whom it is about, who says it, when, and its number. Of an empty verdict: the
// withdrawal.
[[nodiscard]] wire::Alert alert_of(
    const detect::Verdict& verdict,
    const asset::Asset& asset,
    const Bands& bands,
    std::string_view model,
    float threshold,
    suspect::Suspicion suspicion = suspect::Suspicion::none
);

}  // namespace stator::judge
