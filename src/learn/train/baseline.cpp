#include "learn/train/train.h"

#include <Eigen/Dense>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace stator::train {

namespace {

using runs::Row;
using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;

constexpr double sd_min = 1e-6;

// A row of one set weighs as much as all rows of its set share: both sets count the same.
struct Sets {
    const std::vector<Row>* reference;
    const std::vector<Row>* fresh;

    [[nodiscard]] std::vector<std::pair<const std::vector<Row>*, double>> weighted() const {
        std::vector<std::pair<const std::vector<Row>*, double>> made;
        const double sets = reference->empty() || fresh->empty() ? 1.0 : 2.0;
        for (const auto* set : {reference, fresh})
            if (!set->empty())
                made.emplace_back(set, 1.0 / (sets * static_cast<double>(set->size())));
        return made;
    }
};

void set_baseline(const Sets& sets, const Config& config, detect::Parameters& fold) {
    for (std::size_t i = 0; i < fold.feature_count; ++i) {
        double mean = 0;
        double squares = 0;
        for (const auto& [rows, weight] : sets.weighted())
            for (const Row& row : *rows)
                mean += weight * static_cast<double>(row.features[i]);
        for (const auto& [rows, weight] : sets.weighted())
            for (const Row& row : *rows)
                squares += weight * std::pow(static_cast<double>(row.features[i]) - mean, 2.0);
        const double floor = static_cast<double>(config.relative_sd_min) * std::abs(mean);
        fold.mean[i] = static_cast<float>(mean);
        fold.sd[i] = static_cast<float>(std::max({std::sqrt(squares), floor, sd_min}));
    }
}

struct Weighted {
    Matrix values;  // a window a row
    Vector weights;
};

Weighted weighted_windows(const Sets& sets, const detect::Parameters& fold) {
    std::vector<quantise::Row> all;
    std::vector<double> weights;
    for (const auto& [rows, weight] : sets.weighted())
        for (quantise::Row& window : windows_of(*rows, fold)) {
            all.push_back(std::move(window));
            weights.push_back(weight);
        }
    const auto width = static_cast<Eigen::Index>(fold.feature_count * fold.window_count);
    Weighted made{
        Matrix(static_cast<Eigen::Index>(all.size()), width),
        Vector(static_cast<Eigen::Index>(all.size()))
    };
    for (std::size_t r = 0; r < all.size(); ++r) {
        made.weights[static_cast<Eigen::Index>(r)] = weights[r];
        for (std::size_t c = 0; c < all[r].size(); ++c)
            made.values(static_cast<Eigen::Index>(r), static_cast<Eigen::Index>(c)) =
                static_cast<double>(all[r][c]);
    }
    made.weights /= made.weights.sum();
    return made;
}

// W with |W x|^2 = x' C^-1 x: the inverse of C's Cholesky factor.
Matrix whitening_of(const Weighted& windows, double shrink) {
    const Eigen::Index width = windows.values.cols();
    const Vector mean = windows.values.transpose() * windows.weights;
    const Matrix centred = windows.values.rowwise() - mean.transpose();
    const Matrix covariance = centred.transpose() * windows.weights.asDiagonal() * centred;
    const Matrix c = (1.0 - shrink) * covariance + shrink * Matrix::Identity(width, width);
    const Eigen::LLT<Matrix> factor{c};
    return factor.matrixL().solve(Matrix::Identity(width, width));
}

double percentile(std::vector<double> values, double part) {
    std::ranges::sort(values);
    const auto last = static_cast<double>(values.size() - 1);
    return values[static_cast<std::size_t>(std::lround(part * last))];
}

quantise::Network network_of(const Matrix& whitening, double limit, const Config& config) {
    const auto width = static_cast<std::size_t>(whitening.rows());
    quantise::Dense dense{.inputs = width, .outputs = width, .weights = {}};
    for (Eigen::Index r = 0; r < whitening.rows(); ++r)
        for (Eigen::Index c = 0; c < whitening.cols(); ++c)
            dense.weights.push_back(static_cast<float>(whitening(r, c)));
    quantise::Network network{.name = "stator baseline", .inputs = width};
    const quantise::Sum sum{
        .gain = static_cast<float>(static_cast<double>(config.steepness) / (limit * limit)),
        .offset = -config.steepness
    };
    network.layers = {dense, quantise::Square{}, sum, quantise::Logistic{}};
    return network;
}

}  // namespace

std::vector<quantise::Row> windows_of(
    const std::vector<Row>& rows, const detect::Parameters& fold
) {
    const std::size_t features = fold.feature_count;
    std::vector<quantise::Row> vectors;
    for (std::size_t last = fold.smooth_count - 1; last < rows.size(); ++last) {
        quantise::Row vector(features);
        for (std::size_t i = 0; i < features; ++i) {
            float sum = 0.0F;
            for (std::size_t k = last + 1 - fold.smooth_count; k <= last; ++k)
                sum += rows[k].features[i];
            const float smooth = sum / static_cast<float>(fold.smooth_count);
            vector[i] =
                std::clamp((smooth - fold.mean[i]) / fold.sd[i], -fold.range_sd, fold.range_sd);
        }
        vectors.push_back(std::move(vector));
    }
    std::vector<quantise::Row> made;
    for (std::size_t last = fold.window_count - 1; last < vectors.size(); ++last) {
        quantise::Row window;
        for (std::size_t k = last + 1 - fold.window_count; k <= last; ++k)
            window.insert(window.end(), vectors[k].begin(), vectors[k].end());
        made.push_back(std::move(window));
    }
    return made;
}

detect::Parameters fold_of(
    const std::vector<Row>& reference,
    const std::vector<Row>& fresh,
    std::size_t features,
    int level,
    const Config& config
) {
    detect::Parameters fold;
    fold.feature_count = features;
    fold.smooth_count = 5;
    fold.window_count = level == 2 ? config.level2_window : 1;
    fold.ewma_alpha = 0.15F;
    fold.raise_count = 5;
    fold.adapt_rate = 1.0F / 500.0F;
    fold.anchor_sd_max = 3.0F;
    set_baseline({.reference = &reference, .fresh = &fresh}, config, fold);
    return fold;
}

Outcome<Trained> baseline(
    const std::vector<Row>& reference,
    const std::vector<Row>& fresh,
    std::size_t features,
    int level,
    const Config& config
) {
    if (fresh.size() < config.rows_min)
        return fail(
            base::Fault::bad_input,
            fmt::format("{} rows to train on, {} are needed", fresh.size(), config.rows_min)
        );
    Trained made;
    made.fold = fold_of(reference, fresh, features, level, config);
    const Sets sets{.reference = &reference, .fresh = &fresh};
    const Weighted windows = weighted_windows(sets, made.fold);
    const Matrix whitening = whitening_of(windows, static_cast<double>(config.shrink));
    const Matrix whitened = windows.values * whitening.transpose();
    std::vector<double> distances;
    for (Eigen::Index r = 0; r < whitened.rows(); ++r)
        distances.push_back(whitened.row(r).norm());
    made.p99 = percentile(distances, 0.99);
    // In `width` dimensions healthy rows lie about sqrt(width) away; few rows understate their
    // tail.
    const double floor = static_cast<double>(config.limit_floor) *
                         std::sqrt(static_cast<double>(windows.values.cols()));
    made.limit = std::max(static_cast<double>(config.limit_factor) * made.p99, floor);
    made.network = network_of(whitening, made.limit, config);
    for (Eigen::Index r = 0; r < windows.values.rows(); ++r) {
        quantise::Row row;
        for (Eigen::Index c = 0; c < windows.values.cols(); ++c)
            row.push_back(static_cast<float>(windows.values(r, c)));
        made.windows.push_back(std::move(row));
    }
    return made;
}

}  // namespace stator::train
