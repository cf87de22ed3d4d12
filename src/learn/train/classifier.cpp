#include "learn/train/dense_network.h"
#include "learn/train/train.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace stator::train {

namespace {

using Eigen::Index;
using runs::Row;

constexpr std::uint64_t first_weights_seed = 1;

void add_windows(
    const std::vector<Row>& rows, const detect::Parameters& fold, std::vector<quantise::Row>& into
) {
    for (quantise::Row& window : windows_of(rows, fold))
        into.push_back(std::move(window));
}

// Both kinds count the same, however many rows they have.
Examples examples_of(
    const std::vector<quantise::Row>& healthy, const std::vector<quantise::Row>& faults
) {
    const auto count = static_cast<Index>(healthy.size() + faults.size());
    Examples made{
        Eigen::MatrixXd(count, static_cast<Index>(healthy.front().size())),
        Eigen::VectorXd(count),
        Eigen::VectorXd(count)
    };
    Index at = 0;
    for (const auto& [windows, label] : {std::pair{&healthy, 0.0}, std::pair{&faults, 1.0}})
        for (const quantise::Row& window : *windows) {
            for (std::size_t i = 0; i < window.size(); ++i)
                made.inputs(at, static_cast<Index>(i)) = static_cast<double>(window[i]);
            made.labels[at] = label;
            made.weights[at++] = static_cast<double>(count) / static_cast<double>(windows->size());
        }
    return made;
}

quantise::Dense dense_of(const DenseNetwork::Layer& layer, bool last) {
    quantise::Dense made{
        .inputs = static_cast<std::size_t>(layer.weights.cols()),
        .outputs = static_cast<std::size_t>(layer.weights.rows()),
        .activation = last ? quantise::Activation::none : quantise::Activation::relu
    };
    for (Index r = 0; r < layer.weights.rows(); ++r) {
        for (Index c = 0; c < layer.weights.cols(); ++c)
            made.weights.push_back(static_cast<float>(layer.weights(r, c)));
        made.bias.push_back(static_cast<float>(layer.bias[r]));
    }
    return made;
}

}  // namespace

Outcome<Trained> classifier(
    const std::vector<Row>& reference,
    const std::vector<Row>& fresh,
    const std::vector<std::vector<Row>>& faults,
    std::size_t features,
    int level,
    const Config& config
) {
    if (config.epochs == 0 || config.batch_size == 0)
        return fail(base::Fault::bad_input, "learn.epochs and learn.batch_size must be at least 1");
    Trained made;
    made.fold = fold_of(reference, fresh, features, level, config);
    std::vector<quantise::Row> healthy;
    add_windows(reference, made.fold, healthy);
    add_windows(fresh, made.fold, healthy);
    std::vector<quantise::Row> faulty;
    for (const std::vector<Row>& stretch : faults)
        add_windows(stretch, made.fold, faulty);
    for (const auto& [windows, what] :
         {std::pair{&healthy, "healthy"}, std::pair{&faulty, "of faults"}})
        if (windows->size() < config.rows_min)
            return fail(
                base::Fault::bad_input,
                fmt::format(
                    "{} windows {} to train on, {} are needed",
                    windows->size(),
                    what,
                    config.rows_min
                )
            );
    const Examples examples = examples_of(healthy, faulty);
    DenseNetwork network{examples.inputs.cols(), {60, 30, 10, 1}, first_weights_seed};
    for (std::uint32_t epoch = 0; epoch < config.epochs; ++epoch)
        network.learn(examples, static_cast<Index>(config.batch_size), config.learning_rate);
    const Eigen::VectorXd values = network.outputs(examples.inputs);
    std::vector<double> quiet(values.begin(), values.begin() + static_cast<Index>(healthy.size()));
    std::ranges::sort(quiet);
    made.p99 = quiet[(quiet.size() - 1) * 99 / 100];
    made.limit = 0.5;
    made.network.name = "stator classifier";
    made.network.inputs = static_cast<std::size_t>(examples.inputs.cols());
    for (const DenseNetwork::Layer& layer : network.layers())
        made.network.layers.emplace_back(dense_of(layer, &layer == &network.layers().back()));
    made.network.layers.emplace_back(quantise::Logistic{});
    made.windows = std::move(healthy);
    std::ranges::move(faulty, std::back_inserter(made.windows));
    return made;
}

}  // namespace stator::train
