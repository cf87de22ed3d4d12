#include "learn/train/dense_network.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace stator::train {

namespace {

using Eigen::Index;
using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;

// The same on every machine, which std::uniform_real_distribution does not promise.
double uniform(std::mt19937_64& chance) {
    constexpr double step = 1.0 / 9007199254740992.0;  // 2^-53
    return static_cast<double>(chance() >> 11U) * step;
}

Matrix affine(const DenseNetwork::Layer& layer, const Matrix& inputs) {
    return (inputs * layer.weights.transpose()).rowwise() + layer.bias.transpose();
}

double logistic(double x) {
    return 1.0 / (1.0 + std::exp(-x));
}

// What goes into each layer, and what comes out of the last before the logistic.
std::vector<Matrix> trace(const std::vector<DenseNetwork::Layer>& layers, const Matrix& inputs) {
    std::vector<Matrix> made{inputs};
    for (std::size_t i = 0; i < layers.size(); ++i) {
        Matrix out = affine(layers[i], made.back());
        if (i + 1 < layers.size()) out = out.cwiseMax(0.0);
        made.push_back(std::move(out));
    }
    return made;
}

Examples part_of(const Examples& all, const std::vector<Index>& order, Index from, Index count) {
    Examples made{Matrix(count, all.inputs.cols()), Vector(count), Vector(count)};
    for (Index i = 0; i < count; ++i) {
        const Index at = order[static_cast<std::size_t>(from + i)];
        made.inputs.row(i) = all.inputs.row(at);
        made.labels[i] = all.labels[at];
        made.weights[i] = all.weights[at];
    }
    return made;
}

}  // namespace

DenseNetwork::DenseNetwork(Index inputs, const std::vector<Index>& widths, std::uint64_t seed)
    : chance_{seed} {
    for (const Index outputs : widths) {
        // He: so that relu's layers neither fade nor blow up.
        const double bound = std::sqrt(6.0 / static_cast<double>(inputs));
        Layer layer{Matrix(outputs, inputs), Vector::Zero(outputs)};
        for (Index r = 0; r < outputs; ++r)
            for (Index c = 0; c < inputs; ++c)
                layer.weights(r, c) = bound * (2.0 * uniform(chance_) - 1.0);
        const Layer zero{Matrix::Zero(outputs, inputs), Vector::Zero(outputs)};
        layers_.push_back(std::move(layer));
        mean_.push_back(zero);
        square_.push_back(zero);
        inputs = outputs;
    }
}

Vector DenseNetwork::outputs(const Matrix& inputs) const {
    return trace(layers_, inputs).back().col(0).unaryExpr(&logistic);
}

double DenseNetwork::loss(const Examples& examples) const {
    const Vector score = trace(layers_, examples.inputs).back().col(0);
    double sum = 0;
    for (Index i = 0; i < score.size(); ++i) {
        // log(1 + e^-|x|) does not overflow.
        const double toward = examples.labels[i] > 0.5 ? score[i] : -score[i];
        const double its = std::max(-toward, 0.0) + std::log1p(std::exp(-std::abs(toward)));
        sum += examples.weights[i] * its;
    }
    return sum / examples.weights.sum();
}

std::vector<DenseNetwork::Layer> DenseNetwork::gradient(const Examples& examples) const {
    const std::vector<Matrix> seen = trace(layers_, examples.inputs);
    const Vector given = seen.back().col(0).unaryExpr(&logistic);
    Matrix delta = ((given - examples.labels).array() * examples.weights.array()).matrix() /
                   examples.weights.sum();
    std::vector<Layer> made(layers_.size());
    for (std::size_t i = layers_.size(); i-- > 0;) {
        made[i].weights = delta.transpose() * seen[i];
        made[i].bias = delta.colwise().sum().transpose();
        if (i == 0) break;
        const Matrix back = delta * layers_[i].weights;
        delta = (seen[i].array() > 0.0).select(back, 0.0);
    }
    return made;
}

void DenseNetwork::step(const std::vector<Layer>& gradient, double learning_rate) {
    constexpr double keep_mean = 0.9;
    constexpr double keep_square = 0.999;
    constexpr double small = 1e-8;
    steps_ += 1;
    const double mean_bias = 1.0 - std::pow(keep_mean, steps_);
    const double square_bias = 1.0 - std::pow(keep_square, steps_);
    const auto move = [&](auto& values, auto& mean, auto& square, const auto& slope) {
        mean = keep_mean * mean + (1.0 - keep_mean) * slope;
        square = keep_square * square + (1.0 - keep_square) * slope.cwiseAbs2();
        values.array() -= learning_rate * (mean.array() / mean_bias) /
                          ((square.array() / square_bias).sqrt() + small);
    };
    for (std::size_t i = 0; i < layers_.size(); ++i) {
        move(layers_[i].weights, mean_[i].weights, square_[i].weights, gradient[i].weights);
        move(layers_[i].bias, mean_[i].bias, square_[i].bias, gradient[i].bias);
    }
}

void DenseNetwork::learn(const Examples& examples, Index batch_size, double learning_rate) {
    std::vector<Index> order(static_cast<std::size_t>(examples.labels.size()));
    std::iota(order.begin(), order.end(), Index{0});
    for (std::size_t i = order.size(); i > 1; --i)
        std::swap(order[i - 1], order[chance_() % i]);
    const Index count = examples.labels.size();
    for (Index from = 0; from < count; from += batch_size)
        step(
            gradient(part_of(examples, order, from, std::min(batch_size, count - from))),
            learning_rate
        );
}

}  // namespace stator::train
