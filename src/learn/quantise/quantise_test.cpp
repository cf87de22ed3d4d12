#include "learn/quantise/quantise.h"

#include "learn/quantise/lower.h"
#include "learn/quantise/ranges.h"
#include "shared/tinyml/model.h"

#include <gmock/gmock.h>

#include <cmath>
#include <iostream>
#include <random>

namespace stator::quantise {
namespace {

using testing::HasSubstr;

std::vector<Row> normal_rows(std::size_t count, std::size_t width, unsigned seed = 7) {
    std::mt19937 chance{seed};
    std::normal_distribution<float> normal{0.0F, 1.0F};
    std::vector<Row> rows(count, Row(width));
    for (Row& row : rows) {
        for (float& v : row)
            v = normal(chance);
    }
    return rows;
}

// Whitening of correlated inputs: the identity plus something, so that rows mix.
Network baseline(std::size_t n, float limit, float steepness) {
    Network network{.name = "baseline", .inputs = n};
    Dense whiten{.inputs = n, .outputs = n, .weights = std::vector<float>(n * n)};
    std::mt19937 chance{3};
    std::uniform_real_distribution<float> mix{-0.3F, 0.3F};
    for (std::size_t o = 0; o < n; ++o) {
        for (std::size_t i = 0; i < n; ++i)
            whiten.weights[o * n + i] = o == i ? 1.0F : mix(chance) / static_cast<float>(n);
    }
    network.layers = {whiten, Square{}, Sum{steepness / limit, -steepness}, Logistic{}};
    return network;
}

Dense random_dense(std::size_t inputs, std::size_t outputs, Activation activation, unsigned seed) {
    std::mt19937 chance{seed};
    std::normal_distribution<float> normal{0.0F, 1.4F / std::sqrt(static_cast<float>(inputs))};
    Dense dense{.inputs = inputs, .outputs = outputs, .activation = activation};
    for (std::size_t i = 0; i < inputs * outputs; ++i)
        dense.weights.push_back(normal(chance));
    for (std::size_t i = 0; i < outputs; ++i)
        dense.bias.push_back(normal(chance) * 0.1F);
    return dense;
}

Network classifier() {
    Network network{.name = "classifier", .inputs = 4};
    network.layers = {
        random_dense(4, 60, Activation::relu, 1),
        random_dense(60, 30, Activation::relu, 2),
        random_dense(30, 10, Activation::relu, 3),
        random_dense(10, 1, Activation::none, 4),
        Logistic{}
    };
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

std::string refusal(
    const Network& network, std::span<const Row> rows, const Options& options = {}
) {
    const auto made = quantise(network, rows, options);
    EXPECT_FALSE(made) << "was written";
    return made ? "" : made.error().what;
}

TEST(Quantise, the_float_file_computes_what_the_network_computes) {
    for (const Network& network : {baseline(8, 30.0F, 4.0F), classifier()}) {
        const auto tflite = write_float(network);
        ASSERT_TRUE(tflite) << tflite.error().what;
        for (const Row& row : normal_rows(200, network.inputs)) {
            EXPECT_NEAR(run(*tflite, row)[0], evaluate(network, row)[0], 1e-5);
        }
    }
}

TEST(Quantise, a_baseline_loses_less_than_a_hundredth_and_little_more_near_its_limit) {
    for (const std::size_t n : {4UL, 8UL, 16UL, 24UL}) {
        const Network network = baseline(n, 3.0F * static_cast<float>(n), 4.0F);
        for (const bool per_channel : {true, false}) {
            const auto made = quantise(network, normal_rows(300, n), {.per_channel = per_channel});
            ASSERT_TRUE(made) << made.error().what;
            EXPECT_EQ(made->accuracy.rows, 300U);
            EXPECT_LT(made->accuracy.mean_loss, 0.01);
            EXPECT_GT(made->accuracy.limit_rows, 100U);
            EXPECT_LT(made->accuracy.limit_loss, 0.02);
        }
    }
}

TEST(Quantise, the_report_is_what_another_run_of_the_file_gives) {
    const Network network = classifier();
    const auto rows = normal_rows(400, 4);
    const auto made = quantise(network, rows);
    ASSERT_TRUE(made) << made.error().what;
    double loss = 0;
    for (const Row& row : rows)
        loss +=
            std::fabs(static_cast<double>(run(made->tflite, row)[0]) - evaluate(network, row)[0]);
    EXPECT_NEAR(made->accuracy.mean_loss, loss / 400, 1e-9);
    EXPECT_GT(made->accuracy.mean_loss, 0.0);
    EXPECT_LT(made->accuracy.mean_loss, 0.02);
}

TEST(Quantise, a_row_on_the_limit_gives_one_half) {
    const Network network = baseline(8, 32.0F, 4.0F);
    const auto made = quantise(network, normal_rows(100, 8));
    ASSERT_TRUE(made);
    for (Row row : normal_rows(100, 8, 99)) {
        for (int i = 0; i < 60; ++i) {  // Newton towards the limit along the row
            const double value = evaluate(network, row)[0];
            const double sum = 32.0 * (1.0 + std::log(value / (1.0 - value)) / 4.0);
            for (float& v : row)
                v *= static_cast<float>(std::sqrt(32.0 / sum));
        }
        EXPECT_NEAR(evaluate(network, row)[0], 0.5, 1e-3);
        EXPECT_NEAR(run(made->tflite, row)[0], 0.5F, 0.06F);
    }
}

TEST(Quantise, far_beyond_the_limit_the_value_is_near_one_and_at_rest_as_low_as_the_float_one) {
    const Network network = baseline(8, 32.0F, 4.0F);
    const auto made = quantise(network, normal_rows(100, 8));
    ASSERT_TRUE(made);
    for (std::size_t i = 0; i < 8; ++i) {  // one channel alone is enough
        for (const float far : {12.0F, -15.0F, 1000.0F}) {
            Row row(8);
            row[i] = far;
            EXPECT_GT(run(made->tflite, row)[0], 0.98F) << i << " " << far;
        }
    }
    EXPECT_NEAR(run(made->tflite, Row(8))[0], evaluate(network, Row(8))[0], 0.005);
}

TEST(Quantise, the_profile_reference_takes_physical_units_and_gives_one_real_value) {
    Network network = classifier();
    network.normalise = {{0.6F, 41.0F, 0.12F, 0.8F}, {10.0F, 0.4F, 50.0F, 6.0F}};
    std::vector<Row> rows = normal_rows(300, 4);
    for (Row& row : rows) {
        for (std::size_t i = 0; i < 4; ++i)
            row[i] = row[i] / network.normalise.inverse_deviation[i] + network.normalise.mean[i];
    }
    const auto made = quantise(network, rows, {.profile = Profile::reference});
    ASSERT_TRUE(made) << made.error().what;
    tinyml::Reason reason;
    const auto needs = tinyml::check(std::as_bytes(std::span{made->tflite}), reason);
    ASSERT_TRUE(needs);
    EXPECT_EQ(needs->input_type, tinyml::Type::float32);
    EXPECT_EQ(needs->output_type, tinyml::Type::float32);
    EXPECT_EQ(needs->input_count, 4U);
    EXPECT_EQ(needs->output_count, 1U);
    EXPECT_LT(made->accuracy.mean_loss, 0.02);
    EXPECT_THAT(refusal(network, rows), HasSubstr("profile stator"));
    EXPECT_THAT(
        refusal(network, rows, {.int8_ends = true, .profile = Profile::reference}),
        HasSubstr("float32 ends")
    );
    EXPECT_THAT(
        refusal(classifier(), rows, {.profile = Profile::reference}),
        HasSubstr("means and deviations")
    );
}

// An autoencoder's rows lie well inside the bound, whose steps would be 1/8 of a deviation.
TEST(Quantise, an_input_as_seen_has_finer_steps_and_loses_less) {
    Network network{.name = "autoencoder", .inputs = 8};
    network.layers = {
        random_dense(8, 5, Activation::none, 1), Tanh{}, random_dense(5, 8, Activation::none, 2)
    };
    const std::vector<Row> rows = normal_rows(300, 8);
    Options options{.mean_loss_max = 1, .limit_loss_max = 1, .flips_max = 1};
    const auto bound = quantise(network, rows, options);
    options.input_as_seen = true;
    const auto seen = quantise(network, rows, options);
    ASSERT_TRUE(bound) << bound.error().what;
    ASSERT_TRUE(seen) << seen.error().what;
    EXPECT_LT(seen->accuracy.mean_loss, bound->accuracy.mean_loss / 1.5);
    EXPECT_EQ(seen->accuracy.limit_rows, 0U);  // nothing is asked of what lies outside
}

// A channel of four values, and a steep network whose limit lies between two of them: the plain
// range's steps round one of the four to the other side's value.
TEST(Quantise, an_input_of_few_values_gets_the_steps_that_fit_them) {
    Network network{.name = "steep", .inputs = 1};
    network.layers = {
        Dense{.inputs = 1, .outputs = 1, .weights = {400}, .bias = {-400 * 0.131F}}, Logistic{}
    };
    std::vector<Row> rows;
    for (int i = 0; i < 200; ++i)
        rows.push_back({std::array{-1.0F, 0.13F, 0.135F, 2.0F}.at(static_cast<std::size_t>(i) % 4)}
        );
    Options options{.mean_loss_max = 1, .limit_loss_max = 1, .flips_max = 1};
    options.input_as_seen = true;
    const auto made = quantise(network, rows, options);
    ASSERT_TRUE(made) << made.error().what;
    const auto plain = lower_to_int8(network, find_ranges(network, rows, true), {true, false});
    std::vector<std::byte> arena(4096);
    tinyml::Reason reason;
    auto model = tinyml::Model::load(std::as_bytes(std::span{plain}), arena, reason);
    ASSERT_TRUE(model) << reason.view();
    double plain_loss = 0;
    for (const Row& row : rows) {
        float value = 0;
        model->invoke(row, std::span{&value, 1});
        plain_loss += std::abs(static_cast<double>(value) - evaluate(network, row)[0]);
    }
    plain_loss /= static_cast<double>(rows.size());
    EXPECT_GT(plain_loss, 0.03) << "or the test shows nothing";
    EXPECT_LT(made->accuracy.mean_loss, plain_loss / 1.4);
}

TEST(Quantise, only_a_network_that_measures_a_distance_sees_beyond_its_calibration) {
    EXPECT_FALSE(options_for(baseline(8, 32.0F, 4.0F)).input_as_seen);
    EXPECT_TRUE(options_for(classifier()).input_as_seen);
    Network autoencoder{.name = "autoencoder", .inputs = 8};
    autoencoder.layers = {
        random_dense(8, 5, Activation::none, 1), Tanh{}, random_dense(5, 8, Activation::none, 2)
    };
    EXPECT_TRUE(options_for(autoencoder).input_as_seen) << "its caller measures the error";
    autoencoder.layers.insert(
        autoencoder.layers.end(), {Residual{}, Square{}, Sum{0.1F, -4.0F}, Logistic{}}
    );
    EXPECT_FALSE(options_for(autoencoder).input_as_seen) << "it measures the error itself";
}

TEST(Quantise, int8_ends_take_and_give_steps) {
    const auto made = quantise(baseline(8, 32.0F, 4.0F), normal_rows(100, 8), {.int8_ends = true});
    ASSERT_TRUE(made) << made.error().what;
    tinyml::Reason reason;
    const auto needs = tinyml::check(std::as_bytes(std::span{made->tflite}), reason);
    ASSERT_TRUE(needs);
    EXPECT_EQ(needs->input_type, tinyml::Type::int8);
    EXPECT_EQ(needs->output_type, tinyml::Type::int8);
}

TEST(Quantise, a_network_that_int8_cannot_hold_is_refused_with_the_figure) {
    // a difference of two large numbers: the steps are coarser than what decides
    Network network{.name = "fragile", .inputs = 2};
    network.layers = {
        Dense{.inputs = 2, .outputs = 2, .weights = {1, 1, 1, 1.002F}},
        Dense{.inputs = 2, .outputs = 1, .weights = {2000, -2000}},
        Logistic{}
    };
    EXPECT_THAT(refusal(network, normal_rows(200, 2)), HasSubstr("int8 loses too much"));
}

TEST(Quantise, networks_and_rows_that_do_not_fit_are_refused) {
    const auto rows = normal_rows(100, 8);
    EXPECT_THAT(
        refusal(baseline(8, 32, 4), std::span{rows}.first(5)), HasSubstr("5 calibration rows")
    );
    EXPECT_THAT(refusal(baseline(9, 32, 4), rows), HasSubstr("has 8 values, the network takes 9"));
    std::vector<Row> broken = rows;
    broken[41][3] = std::nanf("");
    EXPECT_THAT(refusal(baseline(8, 32, 4), broken), HasSubstr("row 42"));
    Network network = baseline(8, 32, 4);
    std::get<Dense>(network.layers[0]).weights.pop_back();
    EXPECT_THAT(refusal(network, rows), HasSubstr("layer 1 of the network has 63 weights"));
    network = baseline(8, 32, 4);
    std::get<Dense>(network.layers[0]).weights[5] = INFINITY;
    EXPECT_THAT(refusal(network, rows), HasSubstr("not a finite number"));
    EXPECT_THAT(refusal(Network{.inputs = 8}, rows), HasSubstr("no layers"));
}

TEST(Quantise, the_same_network_and_rows_give_the_same_bytes) {
    const auto rows = normal_rows(100, 8);
    const auto once = quantise(baseline(8, 32, 4), rows);
    const auto again = quantise(baseline(8, 32, 4), rows);
    ASSERT_TRUE(once && again);
    EXPECT_EQ(once->tflite, again->tflite);
}

TEST(Ranges, a_scale_holds_zero_exactly_and_reaches_both_ends) {
    for (const Range range :
         {Range{-1, 3}, Range{0.5, 7}, Range{-9, -2}, Range{-4, 4}, Range{0, 0}}) {
        const Scale scale = scale_of(range);
        EXPECT_GE(scale.zero_point, -128);
        EXPECT_LE(scale.zero_point, 127);
        const auto step = static_cast<double>(scale.scale);
        EXPECT_GE((127 - scale.zero_point) * step, range.high - step);
        EXPECT_LE((-128 - scale.zero_point) * step, range.low + step);
        const double width = std::max(range.high, 0.0) - std::min(range.low, 0.0);
        if (width > 0) {
            EXPECT_NEAR(255 * step, width, 0.005 * width)
                << "with no coarser steps than that needs";
        }
    }
}

TEST(Ranges, a_sum_of_squares_is_held_up_to_where_the_logistic_is_flat) {
    const Network network = baseline(8, 32.0F, 4.0F);  // logit 6 at 32 * (1 + 6/4) = 80
    const auto ranges = find_ranges(network, normal_rows(50, 8));
    EXPECT_NEAR(ranges[1].high, std::sqrt(80.0), 1e-4);
    EXPECT_NEAR(ranges[2].high, 80.0, 1e-3);
    EXPECT_NEAR(ranges[3].low, -4.0, 1e-6);  // the logit of no distance at all
    EXPECT_NEAR(ranges[3].high, 6.0, 1e-6);
}

}  // namespace
}  // namespace stator::quantise
