// Ranges are the values that each layer of an int8 network must be able to hold.
//
// Calibration rows say what a layer gives on real windows. They are healthy, so they do not reach
// the limit; hence where a LOGISTIC follows, its flat ends decide instead, and that is carried back
// through Sum and Square: a sum beyond which the value is 0.9975 anyway needs no steps of its own.
#pragma once

#include "learn/quantise/network.h"

#include <span>
#include <vector>

namespace stator::quantise {

struct Range {
    double low = 0;
    double high = 0;
};

// One range for the standardised input, then one a layer.
[[nodiscard]] std::vector<Range> find_ranges(
    const Network& network, std::span<const Row> calibration, bool input_as_seen = false
);

struct Scale {
    float scale = 1;
    std::int32_t zero_point = 0;
};

// 255 steps over the range, stretched to hold 0 exactly.
[[nodiscard]] Scale scale_of(const Range& range);

}  // namespace stator::quantise
