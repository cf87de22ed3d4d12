#include "sim/score/score.h"

#include <cassert>

namespace stator::score {

namespace {

double percent(std::size_t part, std::size_t rest) {
    const std::size_t all = part + rest;
    return all == 0 ? 0.0 : 100.0 * static_cast<double>(part) / static_cast<double>(all);
}

void count(bool predicted, bool label, Counts& into) {
    if (label) {
        ++(predicted ? into.true_positives : into.false_negatives);
    } else {
        ++(predicted ? into.false_positives : into.true_negatives);
    }
}

}  // namespace

Counts& Counts::operator+=(const Counts& other) {
    true_positives += other.true_positives;
    true_negatives += other.true_negatives;
    false_positives += other.false_positives;
    false_negatives += other.false_negatives;
    return *this;
}

double Counts::f1() const {
    const std::size_t all = 2 * true_positives + false_positives + false_negatives;
    return all == 0 ? 0.0 : 2.0 * static_cast<double>(true_positives) / static_cast<double>(all);
}

double Counts::false_alarm_rate_percent() const {
    return percent(false_positives, true_negatives);
}

double Counts::missed_alarm_rate_percent() const {
    return percent(false_negatives, true_positives);
}

Score judge(
    const std::vector<bool>& predictions, const std::vector<bool>& labels, std::size_t warm_up_rows
) {
    assert(predictions.size() == labels.size());
    Score made;
    std::size_t onset_row = warm_up_rows;
    for (std::size_t row = warm_up_rows; row < labels.size(); ++row) {
        const bool first = row == warm_up_rows;
        count(predictions[row], labels[row], made.counts);
        if (labels[row] && (first || !labels[row - 1])) onset_row = row;
        made.labelled = made.labelled || labels[row];
        if (!predictions[row]) continue;
        if (labels[row] && !made.detected) {
            made.detected = true;
            made.delay_rows = row - onset_row;
        }
        if (!labels[row] && (first || !predictions[row - 1])) ++made.false_alarm_events;
    }
    return made;
}

}  // namespace stator::score
