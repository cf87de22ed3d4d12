// quantise writes a Network as a .tflite file: float32, or full int8 with the loss it costs.
//
// The int8 file has float32 ends (QUANTIZE first, DEQUANTIZE last), so every caller speaks real
// values; with int8_ends it has none and the caller quantises. Scales come from calibration rows
// (real windows) and from what the last layer can still tell apart: calibration rows are healthy,
// and the resolution is needed at the limit. A file that would lose more than `max_loss` is
// refused.
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
    bool int8_ends = false;
    Profile profile = Profile::stator;
    float max_loss = 0.05F;     // mean absolute difference of the output, float against int8
    float max_flips = 0.02F;    // part of the rows on the other side of 0.5
    std::size_t rows_min = 32;  // fewer calibration rows are refused
};

struct Report {
    std::size_t rows = 0;
    double mean_loss = 0;   // mean |int8 - float|
    double worst_loss = 0;  // largest |int8 - float|
    double flips = 0;       // part of the rows that change side of 0.5
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
