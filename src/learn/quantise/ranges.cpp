#include "learn/quantise/ranges.h"

#include <algorithm>
#include <cmath>

namespace stator::quantise {

namespace {

constexpr double logit_end = 6.0;    // logistic(6) = 0.9975: the ends of what is worth a step
constexpr double logit_least = 2.0;  // around the limit there is always resolution to this far
constexpr double smallest = 1e-6;    // a layer that is always 0 still needs a scale

std::vector<Range> seen(
    const Network& network, std::span<const Row> calibration, bool input_as_seen
) {
    std::vector<Range> ranges(network.layers.size() + 1);
    for (const Row& row : calibration) {
        const auto values = trace(network, row);
        for (std::size_t i = 0; i < values.size(); ++i) {
            for (const double v : values[i]) {
                ranges[i].low = std::min(ranges[i].low, v);
                ranges[i].high = std::max(ranges[i].high, v);
            }
        }
    }
    if (input_as_seen) return ranges;
    const auto bound = static_cast<double>(network.input_bound);
    ranges[0] = {-bound, bound};
    return ranges;
}

// What LOGISTIC can tell apart: its input's range, and for a sum of squares those before it.
void narrow_for_logistic(const Network& network, std::size_t logistic, std::vector<Range>& ranges) {
    Range& logit = ranges[logistic];  // the layer before; ranges[0] is the input
    const auto* sum = logistic == 0 ? nullptr : std::get_if<Sum>(&network.layers[logistic - 1]);
    const bool squares = sum != nullptr && logistic >= 2 && sum->gain > 0 &&
                         std::holds_alternative<Square>(network.layers[logistic - 2]);
    if (!squares) {
        logit.low = std::clamp(logit.low, -logit_end, -logit_least);
        logit.high = std::clamp(logit.high, logit_least, logit_end);
        return;
    }
    const auto gain = static_cast<double>(sum->gain);
    const auto offset = static_cast<double>(sum->offset);  // the logit of a sum of 0: the lowest
    logit = {std::clamp(offset, -logit_end, -logit_least), logit_end};
    const double largest = std::max((logit_end - offset) / gain, smallest);
    ranges[logistic - 1] = {0.0, largest};
    const double root = std::sqrt(largest);
    if (logistic >= 3) ranges[logistic - 2] = {-root, root};
}

}  // namespace

std::vector<Range> find_ranges(
    const Network& network, std::span<const Row> calibration, bool input_as_seen
) {
    std::vector<Range> ranges = seen(network, calibration, input_as_seen);
    for (std::size_t i = 0; i < network.layers.size(); ++i) {
        if (std::holds_alternative<Logistic>(network.layers[i])) {
            narrow_for_logistic(network, i, ranges);
        }
    }
    return ranges;
}

Scale scale_of(const Range& range) {
    if (range.low == -range.high && range.high > 0) {  // symmetric: 0 in the middle
        return {static_cast<float>(range.high / 127.0), 0};
    }
    const double low = std::min(range.low, 0.0);
    const double high = std::max({range.high, 0.0, low + smallest});
    const double scale = (high - low) / 255.0;
    const double zero = std::clamp(std::round(-128.0 - low / scale), -128.0, 127.0);
    return {static_cast<float>(scale), static_cast<std::int32_t>(zero)};
}

}  // namespace stator::quantise
