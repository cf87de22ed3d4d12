// Models fetches a level-2 model from the registry and checks it as a device does, before it may
// run.
#pragma once

#include "shared/asset/asset.h"
#include "shared/bundle/manifest.h"
#include "shared/tinyml/model.h"
#include "world/doors/doors.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stator::level2 {

inline constexpr std::size_t model_bytes_max = 16U << 20U;

struct ModelOptions {
    std::string registry_url;  // "https://127.0.0.1:30007"
    std::string ca_file;
    std::string certificate_file;
    std::string key_file;
    std::string signing_public_key_file;
    std::size_t arena_bytes_max = 1U << 20U;
};

// A model with everything it needs to run; never moved, for the Model points into it.
struct RunningModel {
    bundle::Manifest manifest;
    std::string file;
    std::vector<std::byte> arena;
    std::optional<tinyml::Model> model;
};

// Fault::not_found: the manifest is for another level or class, so the model is not meant for us.
// Fault::bad_input: refused, with the reason. Anything else: try again later.
[[nodiscard]] Outcome<std::unique_ptr<RunningModel>> fetch_model(
    doors::Doors& doors,
    const ModelOptions& options,
    const asset::Asset& asset,
    const std::string& name,
    std::uint32_t release_now
);

}  // namespace stator::level2
