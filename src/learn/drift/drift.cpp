#include "learn/drift/drift.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

namespace stator::drift {

namespace {

using runs::Row;
using Rows = std::span<const Row>;
using Point = std::vector<double>;

constexpr double relative_sd_min = 0.05;  // of |mean|: findings on real telemetry
constexpr double sd_min = 1e-6;

struct Centre {
    std::vector<double> mean;
    std::vector<double> sd;
};

std::vector<double> mean_of(Rows rows, std::size_t features) {
    std::vector<double> mean(features);
    for (const Row& row : rows)
        for (std::size_t i = 0; i < features; ++i)
            mean[i] += static_cast<double>(row.features[i]) / static_cast<double>(rows.size());
    return mean;
}

Centre centre_of(Rows rows, std::size_t features) {
    Centre made{.mean = mean_of(rows, features), .sd = std::vector<double>(features)};
    for (std::size_t i = 0; i < features; ++i) {
        double squares = 0;
        for (const Row& row : rows)
            squares += std::pow(static_cast<double>(row.features[i]) - made.mean[i], 2.0);
        made.sd[i] = std::max(
            {std::sqrt(squares / static_cast<double>(rows.size())),
             relative_sd_min * std::abs(made.mean[i]),
             sd_min}
        );
    }
    return made;
}

// Evenly spread over the rows, at most `count_max` of them.
std::vector<Point> sample(Rows rows, const Centre& centre, std::size_t count_max) {
    const std::size_t count = std::min(rows.size(), count_max);
    std::vector<Point> made;
    for (std::size_t k = 0; k < count; ++k) {
        const Row& row = rows[k * rows.size() / count];
        Point point(centre.mean.size());
        for (std::size_t i = 0; i < point.size(); ++i)
            point[i] = (static_cast<double>(row.features[i]) - centre.mean[i]) / centre.sd[i];
        made.push_back(std::move(point));
    }
    return made;
}

double squared_distance(const Point& a, const Point& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
}

double median_squared_distance(const std::vector<Point>& points) {
    std::vector<double> all;
    for (std::size_t i = 0; i < points.size(); ++i)
        for (std::size_t j = 0; j < i; ++j)
            all.push_back(squared_distance(points[i], points[j]));
    if (all.empty()) return 1.0;
    const auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
    std::ranges::nth_element(all, middle);
    return std::max(*middle, 1e-9);
}

double mean_kernel(const std::vector<Point>& a, const std::vector<Point>& b, double width) {
    double sum = 0;
    for (const Point& p : a)
        for (const Point& q : b)
            sum += std::exp(-squared_distance(p, q) / width);
    return sum / (static_cast<double>(a.size()) * static_cast<double>(b.size()));
}

// The biased estimate of MMD^2 (Gretton et al. 2012, eq. 5): never negative, and its bias is the
// same for windows of the same size.
double discrepancy(const std::vector<Point>& a, const std::vector<Point>& b, double width) {
    const double squared =
        mean_kernel(a, a, width) + mean_kernel(b, b, width) - 2.0 * mean_kernel(a, b, width);
    return std::sqrt(std::max(squared, 0.0));
}

struct Baseline {
    Centre centre;
    std::vector<Point> points;                // of the whole reference
    std::vector<std::vector<Point>> windows;  // consecutive parts of it
    std::size_t window_rows = 0;
};

Baseline baseline_of(Rows reference, std::size_t features, const Config& config) {
    constexpr std::size_t windows = 4;
    Baseline made{.centre = centre_of(reference, features), .points = {}, .windows = {}};
    made.window_rows = std::min(config.sample_max, std::max<std::size_t>(reference.size() / 4, 1));
    made.points = sample(reference, made.centre, config.sample_max);
    for (std::size_t k = 0; k < windows; ++k) {
        const std::size_t from = k * reference.size() / windows;
        const std::size_t to = (k + 1) * reference.size() / windows;
        if (to > from)
            made.windows.push_back(
                sample(reference.subspan(from, to - from), made.centre, made.window_rows)
            );
    }
    return made;
}

// How far a window is from the nearest one of the baseline (a machine that has several states may
// be in any of them), over the largest distance between two of the baseline's. The kernel is as
// wide as both together: one that only fits the baseline is flat where the machine has gone to.
double ratio_of(const Baseline& baseline, Rows rows) {
    const auto points = sample(rows, baseline.centre, baseline.window_rows);
    auto both = baseline.points;
    const auto more = sample(rows, baseline.centre, baseline.points.size());
    both.insert(both.end(), more.begin(), more.end());
    const double width = median_squared_distance(both);
    double nearest = 1e9;
    double largest = 1e-9;
    for (std::size_t i = 0; i < baseline.windows.size(); ++i) {
        nearest = std::min(nearest, discrepancy(points, baseline.windows[i], width));
        for (std::size_t j = 0; j < i; ++j)
            largest =
                std::max(largest, discrepancy(baseline.windows[i], baseline.windows[j], width));
    }
    return nearest / largest;
}

std::vector<double> shifts_of(const Baseline& baseline, Rows rows) {
    auto mean = mean_of(rows, baseline.centre.mean.size());
    for (std::size_t i = 0; i < mean.size(); ++i)
        mean[i] = (mean[i] - baseline.centre.mean[i]) / baseline.centre.sd[i];
    return mean;
}

}  // namespace

Finding compare(
    const asset::Asset& asset,
    const std::vector<Row>& reference,
    const std::vector<Row>& fresh,
    const Config& config
) {
    const std::string title{asset.id.view()};
    Finding finding;
    if (fresh.size() < config.rows_min) {
        finding.text = fmt::format(
            "{}: {} rows that may count, {} are needed: waiting for more",
            title,
            fresh.size(),
            config.rows_min
        );
        return finding;
    }
    if (reference.empty()) {
        finding.kind = Kind::commissioning;
        finding.text = fmt::format("{}: commissioning on {} rows", title, fresh.size());
        return finding;
    }
    const std::size_t features = asset.features.size();
    const Baseline baseline = baseline_of(reference, features, config);
    const Rows rows{fresh};
    const std::size_t half = rows.size() / 2;
    const auto older = shifts_of(baseline, rows.first(half));
    const auto newer = shifts_of(baseline, rows.subspan(half));
    const double older_ratio = ratio_of(baseline, rows.first(half));
    const double newer_ratio = ratio_of(baseline, rows.subspan(half));
    finding.mmd_ratio = std::min(older_ratio, newer_ratio);
    std::vector<std::pair<double, std::size_t>> moved;
    bool newer_moved = false;
    for (std::size_t i = 0; i < features; ++i) {
        newer_moved = newer_moved || std::abs(newer[i]) > config.shift_max;
        const double both =
            older[i] * newer[i] > 0 ? std::min(std::abs(older[i]), std::abs(newer[i])) : 0.0;
        if (both > config.shift_max) moved.emplace_back(both, i);
    }
    std::ranges::sort(moved, std::greater{});
    std::string list;
    for (const auto& [shift, i] : moved) {
        finding.features.emplace_back(asset::feature_name(asset, i).view());
        list += fmt::format(
            "{}{} by {:.1f} sd", list.empty() ? "" : ", ", finding.features.back(), shift
        );
    }
    const std::string figures = fmt::format(
        "{} rows against {}; MMD {:.1f} x the baseline's own",
        fresh.size(),
        reference.size(),
        finding.mmd_ratio
    );
    if (!moved.empty() && finding.mmd_ratio > config.mmd_ratio_max) {
        finding.kind = Kind::drifted;
        finding.text = fmt::format("{}: drift: {} ({})", title, list, figures);
    } else if (newer_moved && newer_ratio > config.mmd_ratio_max) {
        finding.kind = Kind::unsettled;
        finding.text = fmt::format(
            "{}: only the newer half has moved, more rows will tell ({})", title, figures
        );
    } else {
        finding.kind = Kind::none;
        finding.text = fmt::format("{}: no drift ({})", title, figures);
    }
    return finding;
}

}  // namespace stator::drift
