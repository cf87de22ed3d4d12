// Material is what a model of a data set is made of, for every task the same.
#pragma once

#include "learn/pipeline/pipeline.h"

#include <array>
#include <string>
#include <vector>

namespace stator::pipeline {

inline constexpr std::array levels{1, 2};

struct Material {
    const asset::Asset* asset = nullptr;
    runs::DataSet data_set;
    std::vector<runs::Row> reference;  // what the model that runs was trained on
    std::vector<runs::Row> train;
    std::vector<runs::Row> unseen;  // the newest quarter, never trained on: it judges
    // One stretch a confirmed fault, for a classifier; without the newest, which judges.
    std::vector<std::vector<runs::Row>> faults;
};

// Older and newest quarter.
struct Split {
    std::vector<runs::Row> train;
    std::vector<runs::Row> unseen;
};

[[nodiscard]] Split split(const std::vector<runs::Row>& rows);

// Fault::bad_input for a data set that was not made here or is of an unknown asset.
[[nodiscard]] Outcome<Material> material_of(
    doors::Doors& doors, runs::Runs& runs, const Options& options, const std::string& data_set
);

}  // namespace stator::pipeline
