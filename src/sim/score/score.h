// A Score says how good a detector's verdicts were, by the labels that a recording came with.
//
// Row by row, after a warm-up that does not count, with the definitions of the SKAB benchmark
// (micro-averaged: add counts of several files, then divide once):
//   F1 = 2 TP / (2 TP + FP + FN); false-alarm rate = FP / (FP + TN); missed-alarm rate = FN / (FN +
//   TP)
// What has nothing to divide by is 0. Rows flatter long alarms, so events are counted too.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

namespace stator::score {

struct Counts {
    std::size_t true_positives = 0;
    std::size_t true_negatives = 0;
    std::size_t false_positives = 0;
    std::size_t false_negatives = 0;

    Counts& operator+=(const Counts& other);

    [[nodiscard]] double f1() const;
    [[nodiscard]] double false_alarm_rate_percent() const;
    [[nodiscard]] double missed_alarm_rate_percent() const;
};

struct Score {
    Counts counts;
    std::size_t false_alarm_events = 0;     // runs of prediction that begin outside a labelled run
    bool labelled = false;                  // there is a fault to be found
    bool detected = false;                  // a prediction fell inside a labelled run
    std::optional<std::size_t> delay_rows;  // from that run's onset to that prediction
};

// Both have one entry a row: asserted. A run that lasts at the end of the warm-up begins there.
[[nodiscard]] Score judge(
    const std::vector<bool>& predictions, const std::vector<bool>& labels, std::size_t warm_up_rows
);

}  // namespace stator::score
