#include "learn/quantise/quantise.h"

#include "shared/tinyml/model.h"

#include <gmock/gmock.h>

#include <cmath>
#include <iostream>
#include <random>

namespace stator::quantise {
namespace {

using testing::HasSubstr;

std::vector<Row> normal_rows(std::size_t count, std::size_t width, float deviation = 1.0F) {
    std::mt19937 chance{7};
    std::normal_distribution<float> normal{0.0F, deviation};
    std::vector<Row> rows(count, Row(width));
    for (Row& row : rows) {
        for (float& v : row)
            v = normal(chance);
    }
    return rows;
}

// Whitening of correlated inputs: the identity plus something, so that rows mix.
Network baseline(std::size_t n, float limit, float steepness) {
    Network network{.name = "baseline", .inputs = n, .normalise = {}, .layers = {}};
    Dense whiten{.inputs = n, .outputs = n, .weights = std::vector<float>(n * n), .bias = {}};
    std::mt19937 chance{3};
    std::uniform_real_distribution<float> mix{-0.3F, 0.3F};
    for (std::size_t o = 0; o < n; ++o) {
        for (std::size_t i = 0; i < n; ++i)
            whiten.weights[o * n + i] = o == i ? 1.0F : mix(chance) / static_cast<float>(n);
    }
    network.layers = {whiten, Square{}, Sum{steepness / limit, -steepness}, Logistic{}};
    return network;
}

std::vector<float> run(const std::string& tflite, const Row& row) {
    const auto file = std::as_bytes(std::span{tflite});
    tinyml::Reason reason;
    const auto needs = tinyml::check(file, reason);
    EXPECT_TRUE(needs) << reason.view();
    std::vector<std::byte> arena(needs->arena_bytes);
    auto model = tinyml::Model::load(file, arena, reason);
    EXPECT_TRUE(model) << reason.view();
    std::vector<float> output(needs->output_count);
    model->invoke(row, output);
    return output;
}

TEST(Quantise, the_float_file_computes_what_the_network_computes) {
    const Network network = baseline(8, 30.0F, 4.0F);
    const auto tflite = write_float(network);
    ASSERT_TRUE(tflite) << tflite.error().what;
    for (const Row& row : normal_rows(200, 8, 2.0F)) {
        EXPECT_NEAR(run(*tflite, row)[0], evaluate(network, row)[0], 1e-5);
    }
}

TEST(Quantise, a_baseline_loses_less_than_three_hundredths_and_says_so) {
    for (const std::size_t n : {4UL, 8UL, 16UL, 24UL}) {
        const Network network = baseline(n, 3.0F * static_cast<float>(n), 4.0F);
        const auto made = quantise(network, normal_rows(300, n));
        ASSERT_TRUE(made) << made.error().what;
        EXPECT_LT(made->accuracy.mean_loss, 0.03);
        EXPECT_GT(made->accuracy.limit_rows, 100U);
        EXPECT_LT(made->accuracy.limit_loss, 0.05);
        std::cout << n << " inputs: mean " << made->accuracy.mean_loss << ", worst "
                  << made->accuracy.worst_loss << ", near the limit " << made->accuracy.limit_loss
                  << '\n';
    }
}

}  // namespace
}  // namespace stator::quantise
