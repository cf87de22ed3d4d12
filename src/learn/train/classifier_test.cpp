#include "learn/quantise/quantise.h"
#include "learn/train/dense_network.h"
#include "learn/train/train.h"

#include <gmock/gmock.h>

#include <random>

namespace stator::train {
namespace {

using Eigen::Index;
using runs::Row;

Examples examples(Index count, Index inputs) {
    std::mt19937 random{3};
    std::normal_distribution<double> normal;
    Examples made{Eigen::MatrixXd(count, inputs), Eigen::VectorXd(count), Eigen::VectorXd(count)};
    for (Index i = 0; i < count; ++i) {
        for (Index c = 0; c < inputs; ++c)
            made.inputs(i, c) = normal(random);
        made.labels[i] = made.inputs(i, 0) * made.inputs(i, 1) > 0 ? 1.0 : 0.0;  // no line does it
        made.weights[i] = 1.0 + 0.5 * static_cast<double>(i % 3);
    }
    return made;
}

TEST(DenseNetwork, ItsGradientIsTheSlopeOfItsLoss) {
    const Examples all = examples(20, 3);
    DenseNetwork network{3, {5, 4, 1}, 7};
    const auto gradient = network.gradient(all);
    constexpr double step = 1e-6;
    std::size_t compared = 0;
    const auto slope_at = [&](double& value) {
        const double was = value;
        value = was + step;
        const double above = network.loss(all);
        value = was - step;
        const double below = network.loss(all);
        value = was;
        ++compared;
        return (above - below) / (2 * step);
    };
    for (std::size_t i = 0; i < network.layers().size(); ++i) {
        auto& layer = network.layers()[i];
        for (Index r = 0; r < layer.weights.rows(); ++r) {
            for (Index c = 0; c < layer.weights.cols(); ++c)
                EXPECT_NEAR(gradient[i].weights(r, c), slope_at(layer.weights(r, c)), 1e-7);
            EXPECT_NEAR(gradient[i].bias[r], slope_at(layer.bias[r]), 1e-7);
        }
    }
    EXPECT_EQ(compared, 3 * 5 + 5 + 5 * 4 + 4 + 4 + 1U);
}

TEST(DenseNetwork, LearnsWhatNoLineDivides) {
    const Examples all = examples(400, 2);
    DenseNetwork network{2, {20, 10, 1}, 7};
    const double before = network.loss(all);
    for (int epoch = 0; epoch < 200; ++epoch)
        network.learn(all, 32, 0.01);
    EXPECT_GT(before, 0.5);
    EXPECT_LT(network.loss(all), 0.1);
}

// Healthy rows scatter around 10; in a fault the second feature rises, the third falls.
std::vector<Row> rows(std::size_t count, double fault, unsigned seed) {
    std::mt19937 random{seed};
    std::normal_distribution<double> normal;
    std::vector<Row> made;
    for (std::size_t r = 0; r < count; ++r) {
        Row row;
        for (int i = 0; i < 4; ++i) {
            const double shift = i == 1 ? 6 * fault : i == 2 ? -4 * fault : 0;
            row.features.push_back(static_cast<float>(10 + normal(random) + shift));
        }
        made.push_back(std::move(row));
    }
    return made;
}

std::size_t over_the_limit(const Trained& trained, const std::vector<Row>& of) {
    std::size_t made = 0;
    for (const quantise::Row& window : windows_of(of, trained.fold))
        made += quantise::evaluate(trained.network, window).front() >= 0.5 ? 1U : 0U;
    return made;
}

Outcome<Trained> learnt(const Config& config, int level = 1) {
    const auto fault = rows(120, 1, 2);
    return classifier({}, rows(200, 0, 1), {fault}, 4, level, config);
}

TEST(Classifier, TellsFaultsFromHealthyRowsThatItHasNotSeen) {
    for (const int level : {1, 2}) {
        const auto trained = learnt({.epochs = 20}, level);
        ASSERT_TRUE(trained) << trained.error().what;
        EXPECT_EQ(trained->network.inputs, level == 1 ? 4U : 16U);
        EXPECT_EQ(over_the_limit(*trained, rows(100, 0, 11)), 0U);
        EXPECT_EQ(over_the_limit(*trained, rows(100, 1, 12)), level == 1 ? 96U : 93U);
        const auto file = quantise::quantise(
            trained->network, trained->windows, quantise::options_for(trained->network)
        );
        EXPECT_TRUE(file) << file.error().what;
    }
}

TEST(Classifier, IsTheReferencesDenseNetwork) {
    const auto trained = learnt({});
    ASSERT_TRUE(trained);
    std::vector<std::size_t> widths;
    for (const quantise::Layer& layer : trained->network.layers)
        if (const auto* dense = std::get_if<quantise::Dense>(&layer))
            widths.push_back(dense->outputs);
    EXPECT_THAT(widths, testing::ElementsAre(60, 30, 10, 1));
}

std::vector<float> weights_of(const Config& config) {
    const auto trained = learnt(config);
    EXPECT_TRUE(trained);
    return std::get<quantise::Dense>(trained->network.layers.front()).weights;
}

TEST(Classifier, EpochsAndBatchSizeActAndTheSameGiveTheSameBits) {
    EXPECT_EQ(weights_of({}), weights_of({}));
    EXPECT_NE(weights_of({}), weights_of({.epochs = 3}));
    EXPECT_NE(weights_of({}), weights_of({.batch_size = 16}));
    const auto none = learnt({.epochs = 0});
    ASSERT_FALSE(none);
    EXPECT_THAT(none.error().what, testing::HasSubstr("learn.epochs"));
}

TEST(Classifier, WithoutConfirmedFaultsThereIsNone) {
    const auto none = classifier({}, rows(200, 0, 1), {}, 4, 1, {});
    ASSERT_FALSE(none);
    EXPECT_THAT(none.error().what, testing::HasSubstr("0 windows of faults"));
}

}  // namespace
}  // namespace stator::train
