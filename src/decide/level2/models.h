// Models fetches level-2 models from the registry and checks them as a device does, before they may
// run.
//
// What runs is kept beside the service, so that a restart needs no registry; it is checked again
// then, as if it had come over the network.
#pragma once

#include "shared/asset/asset.h"
#include "shared/bundle/manifest.h"
#include "shared/detect/fold.h"
#include "shared/judge/judge.h"
#include "shared/tinyml/batch.h"
#include "shared/tinyml/model.h"
#include "world/doors/doors.h"
#include "world/tflite/engine.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace stator::level2 {

inline constexpr std::size_t model_bytes_max = 16U << 20U;

struct ModelOptions {
    std::string registry_url;  // "https://127.0.0.1:30007"
    std::string models_url;    // before a file's name; empty: the registry's /quantized/
    std::string ca_file;
    std::string certificate_file;
    std::string key_file;
    std::string signing_public_key_file;
    std::string directory;  // <state>/level2: of the models that are kept
    std::size_t arena_bytes_max = 1U << 20U;
    tflite::Engines* engines = nullptr;  // runs the models in place of tinyml; null: tinyml does
};

// How far another engine's golden values may lie from tinyml's: it rounds by its own rules.
inline constexpr float engine_difference_max = 0.05F;

// A model with everything it needs to run; never moved, for the Model points into it.
struct RunningModel {
    bundle::Manifest manifest;
    std::string envelope;
    std::string file;
    std::vector<std::byte> arena;
    std::optional<tinyml::Model> model;
    std::vector<std::byte> room;  // of the batch
    std::optional<tinyml::Batch> batch;
    std::unique_ptr<tflite::Engine> engine;  // where one was chosen
    std::uint64_t engine_failures = 0;       // runs that tinyml did in its place
    std::uint64_t engine_failures_told = 0;  // of them, that were counted and told
    std::string engine_failure;              // what the last one said

    // The engine, or tinyml where there is none and for each run in which it fails.
    [[nodiscard]] detect::Network network();
    // The same over whole rows, with the same bits: tinyml takes them together.
    void run(std::span<const float> inputs, std::span<float> outputs);
};

[[nodiscard]] judge::Model judge_of(RunningModel& running);

using Running = std::map<std::string, std::unique_ptr<RunningModel>>;  // by device class

// Fault::not_found: not meant for us (another level or class), or no longer in the registry.
// Fault::bad_input: refused, with the reason. Anything else: try again later.
[[nodiscard]] Outcome<std::unique_ptr<RunningModel>> fetch_model(
    doors::Doors& doors,
    const ModelOptions& options,
    std::span<const asset::Asset> assets,
    const Running& running,
    const std::string& name
);

// After it returned the model survives a power cut.
[[nodiscard]] Outcome<void> keep_model(
    doors::Doors& doors, const ModelOptions& options, const RunningModel& model
);
// An Error for a file that is not there or is not what was kept: fetch it again.
[[nodiscard]] Outcome<std::unique_ptr<RunningModel>> kept_model(
    doors::Doors& doors,
    const ModelOptions& options,
    std::span<const asset::Asset> assets,
    const std::string& name
);
void forget_model(doors::Doors& doors, const ModelOptions& options, const std::string& name);

}  // namespace stator::level2
