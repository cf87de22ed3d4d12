// Drift says whether a machine's healthy rows have moved away from those its model was trained on.
//
// Two tests, both calibrated on the site's own rows, for textbook limits fire on every real
// recording: the shift of a feature's mean over max(sd, 5 % of |mean|), and the maximum mean
// discrepancy (Gretton et al. 2012; RBF kernel, median width) over the largest one between windows
// inside the reference. Both halves of the fresh rows must agree.
#pragma once

#include "shared/asset/asset.h"
#include "store/runs/runs.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace stator::drift {

struct Config {
    double shift_max = 2.0;  // in deviations
    double mmd_ratio_max = 1.5;
    std::size_t rows_min = 100;
    std::size_t sample_max = 150;  // rows of a window that MMD looks at
};

enum class Kind : std::uint8_t {
    too_few,        // no statement yet
    commissioning,  // nothing to compare with: the first model
    none,
    unsettled,  // only the newer half has moved: more rows will tell
    drifted,
};

struct Finding {
    Kind kind = Kind::too_few;
    std::vector<std::string> features;  // that moved, the furthest first
    double mmd_ratio = 0;               // the smaller of both halves
    std::string text;                   // for people
};

[[nodiscard]] Finding compare(
    const asset::Asset& asset,
    const std::vector<runs::Row>& reference,
    const std::vector<runs::Row>& fresh,
    const Config& config
);

}  // namespace stator::drift
