// Full is a trained model at full precision as it lies in the registry: what train hands to
// quantise.
//
//   model.tflite     float32, for people and other tools
//   network.json     the network and its fold in plain numbers, to the bit
//   constants.json   the features' standardisation
//   card.json        what it was trained on
//
// The same model gives the same bytes. What is read back is checked: a network that is not sound,
// or a fold that no receiver would take, is Fault::corrupt.
#pragma once

#include "learn/train/train.h"
#include "shared/asset/asset.h"
#include "world/outcome/outcome.h"

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stator::package {

struct Full {
    train::Trained trained;  // without its windows
    int level = 1;
    std::string data_set;
    std::size_t rows = 0;
};

[[nodiscard]] Outcome<std::string> write_full(const asset::Asset& asset, const Full& full);
// `name`: the file's, for messages.
[[nodiscard]] Outcome<Full> read_full(std::string_view zipped, const std::string& name);

// Entries (name, bytes) in order; the same entries give the same bytes.
[[nodiscard]] Outcome<std::string> zip(
    const std::vector<std::pair<std::string, std::string>>& entries
);
// At most 16 entries of at most 64 MiB each.
[[nodiscard]] Outcome<std::map<std::string, std::string>> unzip(
    std::string_view zipped, const std::string& name
);

}  // namespace stator::package
