// Lowering turns a Network's layers into tensors and operators of a .tflite file.
//
//   float   [SUB, MUL] -> FULLY_CONNECTED, MUL(x, x), FULLY_CONNECTED (sum), LOGISTIC, ...
//   int8    [SUB, MUL] -> QUANTIZE -> the same in int8 -> DEQUANTIZE
//
// Square is MUL(x, x), because TFLM has no int8 SQUARE; Sum is a row of equal weights, because the
// gain and the offset then cost nothing and lose nothing (int8 127 x gain/127; int32 bias).
#pragma once

#include "learn/quantise/network.h"
#include "learn/quantise/ranges.h"
#include "learn/quantise/tflite_writer.h"

#include <string>
#include <vector>

namespace stator::quantise {

[[nodiscard]] std::string lower_to_float(const Network& network);

struct Int8Form {
    bool per_channel = true;
    bool int8_ends = false;
};

// `ranges` as find_ranges() gives them.
[[nodiscard]] std::string lower_to_int8(
    const Network& network, const std::vector<Range>& ranges, const Int8Form& form
);

}  // namespace stator::quantise
