// quantise writes a Network as a .tflite file: float32, or full int8 with the loss it costs.
//
// The int8 file has float32 ends (QUANTIZE first, DEQUANTIZE last), so every caller speaks real
// values; with int8_ends it has none and the caller quantises. Scales come from calibration rows
// (real windows) and from what the last layer can still tell apart (ranges.h). A file that would
// lose more than the options allow is refused, and one that tinyml does not run is never returned.
#pragma once

#include "learn/quantise/network.h"
#include "world/outcome/outcome.h"

#include <cstddef>
#include <span>
#include <string>

namespace stator::quantise {

enum class Profile : std::uint8_t {
    stator,     // standardised rows in: the feature set's own standardisation comes before
    reference,  // physical units in, normalisation inside, float32 [1,n] -> [1,1]
};

struct Options {
    bool per_channel = true;
    bool int8_ends = false;  // not in the profile `reference`
    Profile profile = Profile::stator;
    // The input's range is what the calibration rows show or up to half as much again, where that
    // loses less on them, and what lies outside sticks to its ends: finer, for networks that decide
    // inside it (classifier, autoencoder). Otherwise it is +-input_bound, so that a baseline still
    // sees what is far away.
    bool input_as_seen = false;
    double mean_loss_max = 0.03;   // on the calibration rows
    double limit_loss_max = 0.08;  // on rows stretched towards the limit
    double flips_max = 0.02;
    std::size_t rows_min = 32;  // fewer calibration rows are refused
};

// The options that a network asks for by what it is, whatever the data: one that measures a
// distance (a Sum of a Square: baseline, reconstruction error) raises its alarms on what no
// calibration row shows, so its input goes to the bound; any other decides inside what it has seen.
[[nodiscard]] Options options_for(const Network& network);

struct Report {
    std::size_t rows = 0;
    double mean_loss = 0;   // mean |int8 - float| of the first output
    double worst_loss = 0;  // largest
    double flips = 0;       // part of the rows on the other side of 0.5
    // The calibration rows, stretched away from the mean until they come near the limit: those
    // whose float value lies in [0.1, 0.9].
    std::size_t limit_rows = 0;
    double limit_loss = 0;
};

struct Quantised {
    std::string tflite;
    Report accuracy;
};

[[nodiscard]] Outcome<std::string> write_float(
    const Network& network, Profile profile = Profile::stator
);

[[nodiscard]] Outcome<Quantised> quantise(
    const Network& network, std::span<const Row> calibration, const Options& options = {}
);

}  // namespace stator::quantise
