// Train makes a detector of healthy rows: the network, and the fold's parameters.
//
// The baseline family needs no labels: rows are smoothed and standardised as the fold does it, the
// distance d from the centre under C = 0.7 cov + 0.3 I becomes logistic(steepness (d^2/limit^2 -
// 1)), 0.5 at the limit. Level 1 looks at one vector, level 2 at a window of four.
#pragma once

#include "learn/quantise/network.h"
#include "shared/detect/fold.h"
#include "store/runs/runs.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace stator::train {

struct Config {
    float limit_factor = 1.6F;  // of the 99th percentile of the distance
    float limit_floor = 2.2F;   // of sqrt(inputs): few rows understate how far healthy ones stray
    float steepness = 4.0F;
    float shrink = 0.3F;            // part of the identity in the covariance
    float relative_sd_min = 0.01F;  // of |mean|
    std::uint32_t level2_window = 4;
    std::size_t rows_min = 60;
};

struct Trained {
    quantise::Network network;
    detect::Parameters fold;
    std::vector<quantise::Row> windows;  // standardised inputs of the training rows
    double limit = 0;                    // distance
    double p99 = 0;                      // of the training rows' distance
};

// The model's inputs as the fold makes them of consecutive rows, while it does not adapt.
[[nodiscard]] std::vector<quantise::Row> windows_of(
    const std::vector<runs::Row>& rows, const detect::Parameters& fold
);

// `reference` may be empty; else it and the fresh rows have equal weight, however many there are.
[[nodiscard]] Outcome<Trained> baseline(
    const std::vector<runs::Row>& reference,
    const std::vector<runs::Row>& fresh,
    std::size_t features,
    int level,
    const Config& config
);

}  // namespace stator::train
