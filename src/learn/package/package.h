// Package makes of a trained detector what travels: the int8 model with its manifest.
//
// The golden sequences are run through the fold with the quantised model itself, as every receiver
// will.
#pragma once

#include "learn/quantise/quantise.h"
#include "learn/train/train.h"
#include "shared/asset/asset.h"
#include "shared/bundle/manifest.h"
#include "world/outcome/outcome.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stator::package {

// A model with its manifest as text, ready to be named and sent.
struct Candidate {
    bundle::Manifest manifest;  // name and release not yet set
    std::string tflite;         // int8
    quantise::Report accuracy;
};

[[nodiscard]] Outcome<Candidate> assemble(
    const asset::Asset& asset,
    const train::Trained& trained,
    const std::vector<runs::Row>& rows,  // healthy: the golden sequences begin with them
    int level
);

// The manifest's JSON under this name.
[[nodiscard]] Outcome<std::string> manifest_json(
    Candidate& candidate, const std::string& name, std::string_view card
);

// One JSON object for people: what it was trained on, its limit, what quantising cost.
[[nodiscard]] std::string card_of(
    const asset::Asset& asset,
    const train::Trained& trained,
    const Candidate& candidate,
    const std::string& data_set,
    std::size_t rows
);

// The same loss in a line for the run's report.
[[nodiscard]] std::string loss_text(const quantise::Report& accuracy);

// "baseline" or "classifier", and what its limit is of: "distance" or "value".
struct Family {
    std::string name;
    std::string measure;
};

[[nodiscard]] Family family_of(const quantise::Network& network);

[[nodiscard]] std::string constants_of(const asset::Asset& asset, const detect::Parameters& fold);

}  // namespace stator::package
