// What tinyml does with files that quantise's writer makes: here, because shared/ may not look up.
#include "learn/quantise/tflite_writer.h"
#include "shared/tinyml/model.h"

#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

namespace stator::tinyml {
namespace {

using quantise::OperatorSpec;
using quantise::Option;
using quantise::TensorSpec;
using quantise::TfliteWriter;
using testing::HasSubstr;

using Shape = std::vector<std::int32_t>;

TensorSpec real(const Shape& shape) {
    return {.name = "t", .shape = shape};
}

TensorSpec steps(const Shape& shape, float scale, std::int32_t zero) {
    TensorSpec spec{.name = "t", .kind = Kind::int8, .shape = shape, .scales = {scale}};
    spec.zero_point = zero;
    return spec;
}

template <typename T>
TensorSpec filled(TensorSpec spec, const std::vector<T>& numbers) {
    spec.data.assign(reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(T));
    return spec;
}

// One op with one input; `more` are its constants.
std::string one_op(
    const TensorSpec& in,
    const TensorSpec& out,
    OperatorSpec op,
    const std::vector<TensorSpec>& more = {}
) {
    TfliteWriter writer;
    const std::int32_t from = writer.add(in);
    const std::int32_t to = writer.add(out);
    op.inputs.insert(op.inputs.begin(), from);
    for (const TensorSpec& constant : more)
        op.inputs.push_back(writer.add(constant));
    op.outputs = {to};
    writer.add(op);
    return writer.finish(from, to, "test");
}

std::span<const std::byte> bytes(const std::string& tflite) {
    return std::as_bytes(std::span{tflite});
}

std::string refusal(const std::string& tflite) {
    Reason reason;
    const auto needs = check(bytes(tflite), reason);
    EXPECT_FALSE(needs) << "was accepted";
    return std::string{reason.view()};
}

// A loaded model with its memory.
struct Ready {
    explicit Ready(std::string file, Rounding rounding = Rounding::double_)
        : tflite{std::move(file)} {
        Reason reason;
        const auto needs = check(bytes(tflite), reason);
        EXPECT_TRUE(needs) << reason.view();
        if (!needs) return;
        arena.resize(needs->arena_bytes);
        auto loaded = Model::load(bytes(tflite), arena, reason, rounding);
        EXPECT_TRUE(loaded) << reason.view();
        model.push_back(*loaded);
    }

    std::vector<float> run(const std::vector<float>& input) {
        std::vector<float> output(model.at(0).needs().output_count);
        model.at(0).invoke(input, output);
        return output;
    }

    std::string tflite;
    std::vector<std::byte> arena;
    std::vector<Model> model;  // one
};

std::vector<float> random_row(std::size_t count, float deviation, unsigned seed) {
    std::mt19937 chance{seed};
    std::normal_distribution<float> normal{0.0F, deviation};
    std::vector<float> row(count);
    for (float& v : row)
        v = normal(chance);
    return row;
}

OperatorSpec logistic() {
    return {.op = Op::logistic, .version = 2};
}

std::string plain_logistic() {
    return one_op(real({1, 4}), real({1, 4}), logistic());
}

TEST(Model, what_it_does_not_know_it_names) {
    OperatorSpec op{.op = static_cast<Op>(67), .version = 4};
    EXPECT_EQ(
        refusal(one_op(real({1, 4}), real({1, 4}), op)), "op TRANSPOSE_CONV v4 not supported"
    );
    EXPECT_EQ(
        refusal(one_op(real({1, 4}), real({1, 4}), {.op = Op::logistic, .version = 99})),
        "op LOGISTIC v99 not supported"
    );
    EXPECT_EQ(
        refusal(one_op(real({1, 4}), real({1, 4}), {.op = static_cast<Op>(7777)})),
        "op UNKNOWN v1 not supported"
    );
}

TEST(Model, bytes_that_are_no_model_are_refused) {
    EXPECT_THAT(refusal(""), HasSubstr("TFL3"));
    EXPECT_THAT(refusal(std::string(100, '\0')), HasSubstr("TFL3"));
    EXPECT_THAT(refusal(std::string(100, '\xFF')), HasSubstr("TFL3"));
    std::string model = plain_logistic();
    model.resize(model.size() / 2);
    EXPECT_FALSE(refusal(model).empty());
}

TEST(Model, shapes_types_and_scales_that_do_not_fit_are_refused) {
    EXPECT_THAT(
        refusal(one_op(real({1, 4}), real({1, 5}), logistic())), HasSubstr("differ in size")
    );
    EXPECT_THAT(
        refusal(one_op(real({1, 0}), real({1, 0}), logistic())), HasSubstr("dimension of 0")
    );
    EXPECT_THAT(refusal(one_op(real({1, -3}), real({1, 4}), logistic())), HasSubstr("-3"));
    EXPECT_THAT(
        refusal(one_op(real({1, 1, 1, 1, 4}), real({1, 4}), logistic())), HasSubstr("rank 5")
    );
    EXPECT_THAT(
        refusal(one_op(real({1 << 20, 1 << 20}), real({1, 4}), logistic())), HasSubstr("2^24")
    );
    EXPECT_THAT(
        refusal(one_op(steps({1, 4}, 0.1F, 0), steps({1, 4}, 0.1F, 0), logistic())),
        HasSubstr("scale 1/256")
    );
    EXPECT_THAT(
        refusal(one_op(steps({1, 4}, -1.0F, 0), real({1, 4}), logistic())),
        HasSubstr("not a positive number")
    );
    EXPECT_THAT(
        refusal(one_op(steps({1, 4}, std::nanf(""), 0), real({1, 4}), logistic())),
        HasSubstr("not a positive number")
    );
    EXPECT_THAT(
        refusal(one_op(steps({1, 4}, 0.1F, 500), real({1, 4}), logistic())),
        HasSubstr("zero point 500")
    );
}

TEST(Model, a_tensor_is_written_once_and_before_it_is_read) {
    TfliteWriter late;
    const std::int32_t a = late.add(real({1, 4}));
    const std::int32_t b = late.add(real({1, 4}));
    const std::int32_t c = late.add(real({1, 4}));
    late.add({.op = Op::logistic, .inputs = {b}, .outputs = {c}});
    late.add({.op = Op::logistic, .inputs = {a}, .outputs = {b}});
    EXPECT_THAT(refusal(late.finish(a, c, "")), HasSubstr("before it is made"));

    TfliteWriter twice;
    const std::int32_t in = twice.add(real({1, 4}));
    const std::int32_t out = twice.add(real({1, 4}));
    twice.add({.op = Op::logistic, .inputs = {in}, .outputs = {out}});
    twice.add({.op = Op::tanh, .inputs = {in}, .outputs = {out}});
    EXPECT_THAT(refusal(twice.finish(in, out, "")), HasSubstr("has a value already"));
}

TEST(Model, work_without_end_is_refused) {
    const std::int32_t wide = 1 << 12;
    OperatorSpec op{.op = Op::fully_connected};
    TfliteWriter writer;
    const std::int32_t in = writer.add(real({1 << 12, 16}));
    const std::vector<float> numbers(std::size_t{16} * wide);
    const std::int32_t weights = writer.add(filled(real({wide, 16}), numbers));
    const std::int32_t out = writer.add(real({1 << 12, wide}));
    op.inputs = {in, weights};
    op.outputs = {out};
    for (int i = 0; i < 2; ++i) {
        op.outputs = {i == 0 ? out : writer.add(real({1 << 12, wide}))};
        writer.add(op);
    }
    EXPECT_THAT(refusal(writer.finish(in, out, "")), HasSubstr("2^28"));
}

TEST(Model, an_arena_that_is_a_byte_too_small_is_full_and_says_how_many_it_needs) {
    const std::string tflite = plain_logistic();
    Reason reason;
    const auto needs = check(bytes(tflite), reason);
    ASSERT_TRUE(needs);
    std::vector<std::byte> arena(needs->arena_bytes - 1);
    const auto model = Model::load(bytes(tflite), arena, reason);
    ASSERT_FALSE(model);
    EXPECT_EQ(model.error(), base::Fault::full);
    EXPECT_THAT(std::string{reason.view()}, HasSubstr(std::to_string(needs->arena_bytes)));
}

TEST(Model, the_results_do_not_depend_on_the_arenas_address) {
    const std::string tflite = plain_logistic();
    Reason reason;
    const auto needs = check(bytes(tflite), reason);
    ASSERT_TRUE(needs);
    for (std::size_t shift = 0; shift < 8; ++shift) {
        std::vector<std::byte> memory(needs->arena_bytes + shift);
        auto model = Model::load(bytes(tflite), std::span{memory}.subspan(shift), reason);
        ASSERT_TRUE(model);
        std::vector<float> output(4);
        model->invoke(std::vector<float>{0.0F, 1.0F, -1.0F, 100.0F}, output);
        EXPECT_FLOAT_EQ(output[0], 0.5F);
        EXPECT_NEAR(output[1], 1 / (1 + std::exp(-1.0)), 1e-7);
        EXPECT_FLOAT_EQ(output[3], 1.0F);
    }
}

TEST(Model, tensors_that_are_never_alive_together_share_their_bytes) {
    constexpr std::size_t width = 4096;
    std::vector<std::size_t> arenas;
    for (const int length : {2, 3, 20}) {
        TfliteWriter writer;
        const Shape shape{1, static_cast<std::int32_t>(width)};
        const std::int32_t first = writer.add(real(shape));
        std::int32_t at = first;
        for (int i = 0; i < length; ++i) {
            const std::int32_t next = writer.add(real(shape));
            writer.add({.op = Op::relu, .inputs = {at}, .outputs = {next}});
            at = next;
        }
        Reason reason;
        const std::string tflite = writer.finish(first, at, "");
        arenas.push_back(check(bytes(tflite), reason)->arena_bytes);
    }
    for (const std::size_t arena : arenas)
        EXPECT_LT(arena, 2 * width * sizeof(float) + 1024);
}

TEST(Model, not_a_number_becomes_the_zero_point_and_the_far_sticks_to_the_ends) {
    Ready ready{one_op(real({1, 4}), steps({1, 4}, 0.5F, 10), {.op = Op::quantize})};
    const float far = std::numeric_limits<float>::infinity();
    const auto output = ready.run({std::nanf(""), far, -far, 1e30F});
    EXPECT_EQ(output[0], 0.0F);
    EXPECT_EQ(output[1], (127 - 10) * 0.5F);
    EXPECT_EQ(output[2], (-128 - 10) * 0.5F);
    EXPECT_EQ(output[3], (127 - 10) * 0.5F);
}

// What an int8 file gives lies within `steps_most` output steps of the real function of the
// dequantised input, for both roundings.
template <typename Function>
void expect_near(
    const TensorSpec& in,
    const TensorSpec& out,
    const OperatorSpec& op,
    const std::vector<TensorSpec>& more,
    double steps_most,
    Function function
) {
    const std::string tflite = one_op(in, out, op, more);
    const float scale = in.scales[0];
    const float out_scale = out.scales[0];
    const double low = (-128 - out.zero_point) * static_cast<double>(out_scale);
    const double high = (127 - out.zero_point) * static_cast<double>(out_scale);
    for (const Rounding rounding : {Rounding::double_, Rounding::single}) {
        Ready ready{tflite, rounding};
        const std::size_t count = ready.model.at(0).needs().input_count;
        for (unsigned seed = 0; seed < 50; ++seed) {
            std::vector<float> row = random_row(count, 30 * scale, seed);
            for (float& v : row) {  // exactly what the int8 input can hold
                const float step = std::round(v / scale) + static_cast<float>(in.zero_point);
                v = (std::clamp(step, -128.0F, 127.0F) - static_cast<float>(in.zero_point)) * scale;
            }
            const std::vector<double> exact = function(row);
            const std::vector<float> given = ready.run(row);
            ASSERT_EQ(exact.size(), given.size());
            for (std::size_t i = 0; i < given.size(); ++i) {
                EXPECT_NEAR(
                    given[i],
                    std::clamp(exact[i], low, high),
                    steps_most * static_cast<double>(out_scale) + 1e-6
                ) << name_of(op.op)
                  << " at " << i;
            }
        }
    }
}

template <typename Curve>
auto each(Curve curve) {
    return [curve](const std::vector<float>& row) {
        std::vector<double> out;
        for (const float v : row)
            out.push_back(curve(static_cast<double>(v)));
        return out;
    };
}

TEST(Ops, int8_curves_are_the_real_curves_to_within_a_step) {
    const TensorSpec in = steps({1, 40}, 0.05F, -3);
    const TensorSpec part = steps({1, 40}, 1.0F / 256.0F, -128);
    expect_near(in, part, logistic(), {}, 1, each([](double x) { return 1 / (1 + std::exp(-x)); }));
    const TensorSpec both = steps({1, 40}, 1.0F / 128.0F, 0);
    expect_near(in, both, {.op = Op::tanh, .version = 2}, {}, 1, each([](double x) {
                    return std::tanh(x);
                }));
    const TensorSpec out = steps({1, 40}, 0.03F, -100);
    expect_near(in, out, {.op = Op::relu}, {}, 1, each([](double x) { return std::max(x, 0.0); }));
    expect_near(in, out, {.op = Op::relu6}, {}, 1, each([](double x) {
                    return std::clamp(x, 0.0, 6.0);
                }));
    OperatorSpec leaky{.op = Op::leaky_relu, .options_type = 75};
    leaky.options = {{0, Option::Width::real, 0.25}};
    expect_near(in, steps({1, 40}, 0.05F, 5), leaky, {}, 1, each([](double x) {
                    return x > 0 ? x : 0.25 * x;
                }));
}

TEST(Ops, int8_arithmetic_is_the_real_arithmetic_to_within_a_step) {
    const TensorSpec in = steps({2, 9}, 0.05F, -3);
    const std::vector<std::int8_t> row{-100, 50, 3, 0, 127, -128, 64, 9, 1};
    const TensorSpec constant = filled(steps({1, 9}, 0.02F, 7), row);
    const auto with = [&](auto combine) {
        return [&row, combine](const std::vector<float>& values) {
            std::vector<double> out;
            for (std::size_t i = 0; i < values.size(); ++i) {
                const double other = (row[i % row.size()] - 7) * 0.02;
                out.push_back(combine(static_cast<double>(values[i]), other));
            }
            return out;
        };
    };
    const TensorSpec out = steps({2, 9}, 0.08F, 2);
    expect_near(in, out, {.op = Op::add}, {constant}, 1.01, with([](double a, double b) {
                    return a + b;
                }));
    expect_near(in, out, {.op = Op::sub}, {constant}, 1.01, with([](double a, double b) {
                    return a - b;
                }));
    expect_near(in, out, {.op = Op::mul}, {constant}, 1.01, with([](double a, double b) {
                    return a * b;
                }));
    expect_near(
        in, out, {.op = Op::squared_difference}, {constant}, 1.2, with([](double a, double b) {
            return (a - b) * (a - b);
        })
    );
}

TEST(Ops, int8_sums_and_softmax_are_the_real_ones) {
    const TensorSpec in = steps({1, 12}, 0.05F, -3);
    const TensorSpec axis =
        filled(TensorSpec{.kind = Kind::int32, .shape = {1}}, std::vector<std::int32_t>{1});
    const auto total = [](const std::vector<float>& row) {
        double sum = 0;
        for (const float v : row)
            sum += static_cast<double>(v);
        return sum;
    };
    expect_near(
        in,
        steps({1, 1}, 0.2F, 1),
        {.op = Op::sum},
        {axis},
        1,
        [&](const std::vector<float>& row) { return std::vector{total(row)}; }
    );
    expect_near(
        in,
        steps({1, 1}, 0.04F, 1),
        {.op = Op::mean},
        {axis},
        1,
        [&](const std::vector<float>& row) { return std::vector{total(row) / 12}; }
    );
    OperatorSpec softmax{.op = Op::softmax, .options_type = 9};
    softmax.options = {{0, Option::Width::real, 1.0}};
    expect_near(
        in,
        steps({1, 12}, 1.0F / 256.0F, -128),
        softmax,
        {},
        1,
        [](const std::vector<float>& row) {
            double sum = 0;
            std::vector<double> out;
            for (const float v : row)
                sum += std::exp(static_cast<double>(v));
            for (const float v : row)
                out.push_back(std::exp(static_cast<double>(v)) / sum);
            return out;
        }
    );
}

TEST(Ops, a_fully_connected_layer_is_weights_times_input_plus_bias) {
    const std::vector<std::int8_t> weights{1, -2, 3, 100, 50, -127};
    const std::vector<std::int32_t> bias{1000, -2000};
    TensorSpec w = filled(steps({2, 3}, 0.0F, 0), weights);
    w.scales = {0.01F, 0.02F};
    const TensorSpec b = filled(TensorSpec{.kind = Kind::int32, .shape = {2}}, bias);
    const TensorSpec in = steps({1, 3}, 0.05F, -3);
    expect_near(
        in,
        steps({1, 2}, 0.06F, 4),
        {.op = Op::fully_connected},
        {w, b},
        1.01,
        [&](const std::vector<float>& row) {
            std::vector<double> out;
            for (std::size_t o = 0; o < 2; ++o) {
                const double scale = o == 0 ? 0.01 : 0.02;
                double sum = bias[o] * scale * 0.05;
                for (std::size_t i = 0; i < 3; ++i)
                    sum += weights[o * 3 + i] * scale * static_cast<double>(row[i]);
                out.push_back(sum);
            }
            return out;
        }
    );
}

TEST(Ops, a_convolution_over_one_row_is_a_sliding_sum) {
    const std::vector<float> weights{1.0F, 2.0F, 4.0F};
    OperatorSpec op{.op = Op::conv_2d, .options_type = 1};
    op.options = {
        {0, Option::Width::byte, 0}, {1, Option::Width::word, 1}, {2, Option::Width::word, 1}
    };
    Ready ready{
        one_op(real({1, 1, 4, 1}), real({1, 1, 4, 1}), op, {filled(real({1, 1, 3, 1}), weights)})
    };
    EXPECT_THAT(ready.run({1, 10, 100, 1000}), testing::ElementsAre(42, 421, 4210, 2100));
}

TEST(Ops, the_shape_of_a_dynamic_batch_is_folded_at_load) {
    TfliteWriter writer;
    const auto whole = [&](const std::vector<std::int32_t>& values, const Shape& shape) {
        return writer.add(filled(TensorSpec{.kind = Kind::int32, .shape = shape}, values));
    };
    const std::int32_t in = writer.add(real({1, 2, 3}));
    const std::int32_t shape = writer.add(TensorSpec{.kind = Kind::int32, .shape = {3}});
    writer.add({.op = Op::shape, .inputs = {in}, .outputs = {shape}});
    const std::int32_t batch = writer.add(TensorSpec{.kind = Kind::int32});
    OperatorSpec slice{.op = Op::strided_slice, .options_type = 32};
    slice.inputs = {shape, whole({0}, {1}), whole({1}, {1}), whole({1}, {1})};
    slice.outputs = {batch};
    slice.options = {{4, Option::Width::word, 1}};
    writer.add(slice);
    const std::int32_t wanted = writer.add(TensorSpec{.kind = Kind::int32, .shape = {2}});
    OperatorSpec pack{.op = Op::pack, .options_type = 59};
    pack.inputs = {batch, whole({6}, {})};
    pack.outputs = {wanted};
    pack.options = {{0, Option::Width::word, 2}};
    writer.add(pack);
    const std::int32_t flat = writer.add(real({1, 6}));
    writer.add({.op = Op::reshape, .inputs = {in, wanted}, .outputs = {flat}});
    const std::int32_t out = writer.add(real({1, 6}));
    writer.add({.op = Op::relu, .inputs = {flat}, .outputs = {out}});
    Ready ready{writer.finish(in, out, "")};
    EXPECT_THAT(ready.run({1, -2, 3, -4, 5, -6}), testing::ElementsAre(1, 0, 3, 0, 5, 0));
    EXPECT_EQ(ready.model.at(0).needs().macs, 96U);  // only the RELU runs
}

}  // namespace
}  // namespace stator::tinyml
