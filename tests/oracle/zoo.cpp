#include "oracle/zoo.h"

#include "learn/quantise/tflite_writer.h"

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

namespace stator::oracle {

namespace {

using quantise::OperatorSpec;
using quantise::Option;
using quantise::TensorSpec;
using quantise::TfliteWriter;
using tinyml::Kind;
using tinyml::Op;

using Shape = std::vector<std::int32_t>;

std::mt19937 chance{23};

// Numbers in the schema's union BuiltinOptions.
enum OptionsType : std::uint8_t {
    conv = 1,
    depthwise = 2,
    pool = 5,
    fully_connected = 8,
    softmax = 9,
    add = 11,
    reshape = 17,
    mul = 21,
    reducer = 27,
    sub = 28,
    leaky = 75,
};

template <typename T>
std::string bytes_of(const std::vector<T>& numbers) {
    std::string bytes(numbers.size() * sizeof(T), '\0');
    std::memcpy(bytes.data(), numbers.data(), bytes.size());
    return bytes;
}

std::size_t count_of(const Shape& shape) {
    std::size_t count = 1;
    for (const std::int32_t d : shape)
        count *= static_cast<std::size_t>(d);
    return count;
}

Option byte(unsigned field, int value) {
    return {field, Option::Width::byte, static_cast<double>(value)};
}

Option word(unsigned field, int value) {
    return {field, Option::Width::word, static_cast<double>(value)};
}

// One file being made; `int8` chooses the type of everything that is not int32.
class Sketch {
  public:
    explicit Sketch(bool int8) : int8_{int8} {}

    std::int32_t tensor(const Shape& shape, float scale, std::int32_t zero) {
        TensorSpec spec{.name = "t", .kind = int8_ ? Kind::int8 : Kind::float32, .shape = shape};
        if (int8_) {
            spec.scales = {scale};
            spec.zero_point = zero;
        }
        return writer.add(spec);
    }

    std::int32_t weights(const Shape& shape, std::size_t channels, std::int32_t dimension) {
        const std::size_t count = count_of(shape);
        TensorSpec spec{.name = "w", .kind = int8_ ? Kind::int8 : Kind::float32, .shape = shape};
        if (!int8_) {
            std::normal_distribution<float> normal{0.0F, 0.4F};
            std::vector<float> numbers(count);
            for (float& v : numbers)
                v = normal(chance);
            spec.data = bytes_of(numbers);
            return writer.add(spec);
        }
        std::uniform_int_distribution<int> step{-127, 127};
        std::uniform_real_distribution<float> scale{0.002F, 0.02F};
        std::vector<std::int8_t> numbers(count);
        for (std::int8_t& v : numbers)
            v = static_cast<std::int8_t>(step(chance));
        spec.data = bytes_of(numbers);
        for (std::size_t i = 0; i < channels; ++i)
            spec.scales.push_back(scale(chance));
        spec.dimension = dimension;
        return writer.add(spec);
    }

    std::int32_t bias(std::int32_t units, float input_scale, std::int32_t weights) {
        TensorSpec spec{.name = "b", .kind = int8_ ? Kind::int32 : Kind::float32, .shape = {units}};
        std::uniform_int_distribution<std::int32_t> step{-4000, 4000};
        std::vector<std::int32_t> steps;
        std::vector<float> reals;
        for (std::int32_t i = 0; i < units; ++i) {
            steps.push_back(step(chance));
            reals.push_back(static_cast<float>(step(chance)) / 4000.0F);
        }
        spec.data = int8_ ? bytes_of(steps) : bytes_of(reals);
        if (int8_) {
            for (const float scale : writer.tensor(weights).scales)
                spec.scales.push_back(scale * input_scale);
        }
        return writer.add(spec);
    }

    std::int32_t numbers(const std::vector<std::int32_t>& values) {
        TensorSpec spec{.name = "n", .kind = Kind::int32};
        spec.shape = {static_cast<std::int32_t>(values.size())};
        spec.data = bytes_of(values);
        return writer.add(spec);
    }

    TfliteWriter writer;

  private:
    bool int8_;
};

struct Ends {
    float in_scale;
    std::int32_t in_zero;
    float out_scale;
    std::int32_t out_zero;
};

constexpr Ends usual{0.07F, -5, 0.11F, 9};

class Zoo {
  public:
    explicit Zoo(const Keep& keep) : keep_{keep} {}

    // An op with one activation in, one out, and constants that `more` adds.
    template <typename More>
    void unary(
        const std::string& name,
        const Shape& in,
        const Shape& out,
        const Ends& ends,
        OperatorSpec op,
        More more,
        bool float_too = true
    ) {
        for (const bool int8 : {true, false}) {
            if (!int8 && !float_too) continue;
            Sketch s{int8};
            const std::int32_t from = s.tensor(in, ends.in_scale, ends.in_zero);
            const std::int32_t to = s.tensor(out, ends.out_scale, ends.out_zero);
            OperatorSpec made = op;
            made.version = int8 ? op.version : 1;
            made.inputs = {from};
            more(s, made, from);
            made.outputs = {to};
            s.writer.add(made);
            keep_(name + (int8 ? "_int8" : "_float"), s.writer.finish(from, to, name));
        }
    }

    void dense();
    void convolutions();
    void pools();
    void curves();
    void arithmetic();
    void reductions();
    void shapes();

  private:
    void binary(
        const std::string& name,
        Op op,
        std::uint8_t options,
        const Shape& a,
        const Shape& b,
        int fused
    );
    const Keep& keep_;
};

const auto nothing = [](Sketch&, OperatorSpec&, std::int32_t) {};

void Zoo::dense() {
    struct Case {
        const char* name;
        std::int32_t depth;
        std::int32_t units;
        bool per_channel;
        int fused;
        bool with_bias;
    };

    for (const Case& c :
         {Case{"fc_7x3_pt", 7, 3, false, 0, true},
          Case{"fc_7x3_pc", 7, 3, true, 0, true},
          Case{"fc_64x33_pc_relu", 64, 33, true, 1, true},
          Case{"fc_64x33_pt_relu6", 64, 33, false, 3, false},
          Case{"fc_1x1_pt_n1to1", 1, 1, false, 2, true}}) {
        OperatorSpec op{.op = Op::fully_connected, .version = 4, .options_type = fully_connected};
        op.options = {byte(0, c.fused)};
        unary(
            c.name,
            {1, c.depth},
            {1, c.units},
            usual,
            op,
            [&](Sketch& s, OperatorSpec& made, std::int32_t) {
                const auto channels = static_cast<std::size_t>(c.per_channel ? c.units : 1);
                const std::int32_t w = s.weights({c.units, c.depth}, channels, 0);
                made.inputs.push_back(w);
                made.inputs.push_back(c.with_bias ? s.bias(c.units, usual.in_scale, w) : -1);
            }
        );
    }
}

void Zoo::convolutions() {
    struct Case {
        const char* name;
        Shape in;
        Shape out;
        Shape weights;
        bool depthwise;
        int padding;
        int stride;
        int dilation;
        bool per_channel;
    };

    const std::vector<Case> cases{
        {"conv_3x3_same", {1, 6, 5, 3}, {1, 6, 5, 4}, {4, 3, 3, 3}, false, 0, 1, 1, true},
        {"conv_3x3_valid_s2", {1, 9, 8, 2}, {1, 4, 3, 5}, {5, 3, 3, 2}, false, 1, 2, 1, true},
        {"conv_1x5_pt", {1, 1, 16, 4}, {1, 1, 16, 6}, {6, 1, 5, 4}, false, 0, 1, 1, false},
        {"conv_1x1", {1, 4, 4, 8}, {1, 4, 4, 3}, {3, 1, 1, 8}, false, 1, 1, 1, true},
        {"conv_dilated", {1, 8, 8, 2}, {1, 8, 8, 3}, {3, 3, 3, 2}, false, 0, 1, 2, true},
        {"dw_3x3_same", {1, 6, 5, 3}, {1, 6, 5, 3}, {1, 3, 3, 3}, true, 0, 1, 1, true},
        {"dw_3x3_mult2_s2", {1, 7, 7, 2}, {1, 4, 4, 4}, {1, 3, 3, 4}, true, 0, 2, 1, true},
        {"dw_1x4_pt", {1, 1, 12, 5}, {1, 1, 9, 5}, {1, 1, 4, 5}, true, 1, 1, 1, false},
    };
    for (const Case& c : cases) {
        OperatorSpec op{.op = c.depthwise ? Op::depthwise_conv_2d : Op::conv_2d, .version = 3};
        op.options_type = c.depthwise ? depthwise : conv;
        op.options = {byte(0, c.padding), word(1, c.stride), word(2, c.stride)};
        if (c.depthwise) {
            op.options.push_back(word(3, c.out[3] / c.in[3]));
            op.options.push_back(byte(4, 1));
            op.options.push_back(word(5, c.dilation));
            op.options.push_back(word(6, c.dilation));
        } else {
            op.options.push_back(byte(3, 0));
            op.options.push_back(word(4, c.dilation));
            op.options.push_back(word(5, c.dilation));
        }
        unary(c.name, c.in, c.out, usual, op, [&](Sketch& s, OperatorSpec& made, std::int32_t) {
            const auto channels = static_cast<std::size_t>(c.per_channel ? c.out[3] : 1);
            const std::int32_t w = s.weights(c.weights, channels, c.depthwise ? 3 : 0);
            made.inputs.push_back(w);
            made.inputs.push_back(s.bias(c.out[3], usual.in_scale, w));
        });
    }
}

void Zoo::pools() {
    for (const Op which : {Op::max_pool_2d, Op::average_pool_2d}) {
        const std::string name = which == Op::max_pool_2d ? "maxpool" : "avgpool";
        OperatorSpec op{.op = which, .version = 2, .options_type = pool};
        const Ends same{0.1F, 3, 0.1F, 3};
        op.options = {byte(0, 1), word(1, 2), word(2, 2), word(3, 2), word(4, 2)};
        unary(name + "_2x2", {1, 6, 8, 3}, {1, 3, 4, 3}, same, op, nothing);
        op.options = {byte(0, 0), word(1, 1), word(2, 2), word(3, 3), word(4, 3), byte(5, 1)};
        unary(name + "_3x3_same_relu", {1, 5, 7, 2}, {1, 3, 7, 2}, same, op, nothing);
    }
}

void Zoo::curves() {
    const Ends logistic_ends{0.05F, 4, 1.0F / 256.0F, -128};
    for (const auto& [name, scale, zero] :
         {std::tuple{"fine", 0.01F, -7},
          std::tuple{"usual", 0.05F, 4},
          std::tuple{"coarse", 0.4F, 0}}) {
        const std::string end = std::string{"_"} + name;
        const Ends logistic{scale, zero, 1.0F / 256.0F, -128};
        unary(
            "logistic" + end,
            {1, 40},
            {1, 40},
            logistic,
            {.op = Op::logistic, .version = 2},
            nothing
        );
        const Ends tanh{scale, zero, 1.0F / 128.0F, 0};
        unary("tanh" + end, {1, 40}, {1, 40}, tanh, {.op = Op::tanh, .version = 2}, nothing);
        OperatorSpec soft{.op = Op::softmax, .version = 2, .options_type = softmax};
        soft.options = {{0, Option::Width::real, 1.0}};
        unary("softmax_10" + end, {1, 10}, {1, 10}, logistic, soft, nothing);
    }
    OperatorSpec soft{.op = Op::softmax, .version = 2, .options_type = softmax};
    soft.options = {{0, Option::Width::real, 1.5}};
    unary("softmax_3x4_beta", {3, 4}, {3, 4}, logistic_ends, soft, nothing);
    unary("relu_scaled", {1, 33}, {1, 33}, usual, {.op = Op::relu, .version = 2}, nothing);
    unary(
        "relu_up", {2, 9}, {2, 9}, {0.2F, 0, 0.05F, -128}, {.op = Op::relu, .version = 2}, nothing
    );
    const Ends six{0.06F, -30, 0.06F, -30};
    unary("relu6", {1, 33}, {1, 33}, six, {.op = Op::relu6, .version = 2}, nothing);
    for (const auto& [name, alpha] : {std::pair{"leaky_0.3", 0.3}, std::pair{"leaky_0.01", 0.01}}) {
        OperatorSpec op{.op = Op::leaky_relu, .version = 2, .options_type = leaky};
        op.options = {{0, Option::Width::real, alpha}};
        unary(name, {1, 64}, {1, 64}, usual, op, nothing);
    }
    unary(
        "requantise", {1, 64}, {1, 64}, usual, {.op = Op::quantize, .version = 2}, nothing, false
    );
}

// One activation, and a constant or the activation itself.
void Zoo::binary(
    const std::string& name,
    Op which,
    std::uint8_t options,
    const Shape& a,
    const Shape& b,
    int fused
) {
    OperatorSpec op{.op = which, .version = 2, .options_type = options};
    if (fused != 0) op.options = {byte(0, fused)};
    unary(name, a, a, usual, op, [&](Sketch& s, OperatorSpec& made, std::int32_t from) {
        made.inputs.push_back(b.empty() ? from : s.weights(b, 1, 0));
    });
}

void Zoo::arithmetic() {
    struct Row {
        const char* name;
        Op op;
        std::uint8_t options;
    };

    for (const Row& row :
         {Row{"add", Op::add, add},
          Row{"sub", Op::sub, sub},
          Row{"mul", Op::mul, mul},
          Row{"sqdiff", Op::squared_difference, 0}}) {
        const std::string name{row.name};
        const int fused = row.options == 0 ? 0 : 1;
        binary(name + "_self", row.op, row.options, {1, 31}, {}, 0);
        binary(name + "_same_relu", row.op, row.options, {1, 4, 3, 5}, {1, 4, 3, 5}, fused);
        binary(name + "_scalar", row.op, row.options, {2, 17}, {1}, 0);
        binary(name + "_row", row.op, row.options, {1, 4, 3, 5}, {1, 1, 1, 5}, 0);
    }
}

void Zoo::reductions() {
    struct Row {
        const char* name;
        Op op;
        Shape in;
        Shape out;
        std::vector<std::int32_t> axes;
    };

    const std::vector<Row> rows{
        {"sum_last", Op::sum, {1, 24}, {1, 1}, {1}},
        {"sum_images", Op::sum, {1, 4, 5, 3}, {1, 1, 1, 3}, {1, 2}},
        {"mean_last", Op::mean, {3, 7}, {3, 1}, {-1}},
        {"mean_images", Op::mean, {1, 4, 5, 3}, {1, 1, 1, 3}, {1, 2}},
    };
    for (const Row& row : rows) {
        OperatorSpec op{.op = row.op, .version = 2, .options_type = reducer};
        op.options = {byte(0, 1)};
        unary(
            row.name,
            row.in,
            row.out,
            usual,
            op,
            [&](Sketch& s, OperatorSpec& made, std::int32_t) {
                made.inputs.push_back(s.numbers(row.axes));
            }
        );
    }
}

// RESHAPE and EXPAND_DIMS before an op that computes, so that aliases are used.
void Zoo::shapes() {
    for (const bool int8 : {true, false}) {
        Sketch s{int8};
        const std::int32_t from = s.tensor({1, 12}, usual.in_scale, usual.in_zero);
        const std::int32_t grid = s.tensor({1, 4, 3}, usual.in_scale, usual.in_zero);
        const std::int32_t image = s.tensor({1, 1, 4, 3}, usual.in_scale, usual.in_zero);
        const std::int32_t out = s.tensor({1, 1, 4, 2}, usual.out_scale, usual.out_zero);
        OperatorSpec first{.op = Op::reshape};
        first.inputs = {from, s.numbers({1, 4, 3})};
        first.outputs = {grid};
        s.writer.add(first);
        OperatorSpec second{.op = Op::expand_dims};
        second.inputs = {grid, s.numbers({1})};
        second.outputs = {image};
        s.writer.add(second);
        OperatorSpec third{.op = Op::conv_2d, .version = int8 ? 3 : 1, .options_type = conv};
        third.options = {byte(0, 0), word(1, 1), word(2, 1)};
        const std::int32_t w = s.weights({2, 1, 3, 3}, 2, 0);
        third.inputs = {image, w, s.bias(2, usual.in_scale, w)};
        third.outputs = {out};
        s.writer.add(third);
        keep_(
            std::string{"conv1d_chain"} + (int8 ? "_int8" : "_float"),
            s.writer.finish(from, out, "conv1d")
        );
    }
}

}  // namespace

void make_zoo(const Keep& keep) {
    Zoo zoo{keep};
    zoo.dense();
    zoo.convolutions();
    zoo.pools();
    zoo.curves();
    zoo.arithmetic();
    zoo.reductions();
    zoo.shapes();
}

}  // namespace stator::oracle
