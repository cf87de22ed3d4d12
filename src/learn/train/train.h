// Train makes a detector of rows: the network, and the fold's parameters.
//
// The baseline family needs healthy rows and no labels: they are smoothed and standardised as the
// fold does it, the distance d from the centre under C = 0.7 cov + 0.3 I becomes logistic(steepness
// (d^2/limit^2 - 1)), 0.5 at the limit. The classifier family is the reference's Dense 60-30-10-1:
// it learns, in epochs of batches, to tell healthy rows from those of faults that a person
// confirmed. Level 1 looks at one vector, level 2 at a window of four.
#pragma once

#include "learn/quantise/network.h"
#include "shared/detect/fold.h"
#include "store/runs/runs.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace stator::train {

enum class Family : std::uint8_t { baseline, classifier };

struct Config {
    float limit_factor = 1.6F;  // of the 99th percentile of the distance
    float limit_floor = 2.2F;   // of sqrt(inputs): few rows understate how far healthy ones stray
    float steepness = 4.0F;
    float shrink = 0.3F;            // part of the identity in the covariance
    float relative_sd_min = 0.01F;  // of |mean|
    std::uint32_t level2_window = 4;
    std::size_t rows_min = 60;
    Family family = Family::baseline;
    std::uint32_t epochs = 2;  // these three of the classifier
    std::uint32_t batch_size = 32;
    double learning_rate = 0.003;
};

struct Trained {
    quantise::Network network;
    detect::Parameters fold;
    std::vector<quantise::Row> windows;  // standardised inputs of the training rows
    double limit = 0;                    // distance; of a classifier 0.5, of its output
    double p99 = 0;                      // of the healthy training rows' distance, or output
};

// The model's inputs as the fold makes them of consecutive rows, while it does not adapt.
[[nodiscard]] std::vector<quantise::Row> windows_of(
    const std::vector<runs::Row>& rows, const detect::Parameters& fold
);

// How rows come to the network: the standardisation of these healthy rows, and the persistence.
[[nodiscard]] detect::Parameters fold_of(
    const std::vector<runs::Row>& reference,
    const std::vector<runs::Row>& fresh,
    std::size_t features,
    int level,
    const Config& config
);

// `reference` may be empty; else it and the fresh rows have equal weight, however many there are.
[[nodiscard]] Outcome<Trained> baseline(
    const std::vector<runs::Row>& reference,
    const std::vector<runs::Row>& fresh,
    std::size_t features,
    int level,
    const Config& config
);

// `faults`: one stretch of rows an alarm that was called true. The same rows give the same bits.
[[nodiscard]] Outcome<Trained> classifier(
    const std::vector<runs::Row>& reference,
    const std::vector<runs::Row>& fresh,
    const std::vector<std::vector<runs::Row>>& faults,
    std::size_t features,
    int level,
    const Config& config
);

}  // namespace stator::train
