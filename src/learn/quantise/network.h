// A Network is a trained feed-forward network in plain numbers: what train makes and quantise
// writes.
//
//   baseline    Dense (whitening) -> Square -> Sum{gain, offset} -> Logistic
//   classifier  Dense relu -> Dense relu -> Dense relu -> Dense -> Logistic
//   autoencoder Dense ... -> Residual -> Square -> Sum -> Logistic
//
// One row of `inputs` numbers goes in, standardised by the features' own mean and deviation and
// clamped to +-input_bound, unless `normalise` is filled: then the row is in physical units and the
// written model does that itself. Weights stand row by row: weights[out * inputs + in].
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace stator::quantise {

using Row = std::vector<float>;

enum class Activation : std::uint8_t { none, relu, relu6 };

struct Dense {
    std::size_t inputs = 0;
    std::size_t outputs = 0;
    std::vector<float> weights = {};  // outputs x inputs
    std::vector<float> bias = {};     // outputs, or empty
    Activation activation = Activation::none;
};

struct Square {};  // each value, squared

struct Sum {  // all values become one: gain * sum + offset
    float gain = 1.0F;
    float offset = 0.0F;
};

struct Residual {};  // the network's own (standardised) input minus the value: same width

struct Logistic {};  // 1 / (1 + exp(-v)): 0.5 at 0

struct Tanh {};

struct Softmax {};

using Layer = std::variant<Dense, Square, Sum, Residual, Logistic, Tanh, Softmax>;

// (x - mean) * inverse_deviation, one pair an input.
struct Normalise {
    std::vector<float> mean = {};
    std::vector<float> inverse_deviation = {};
};

struct Network {
    std::string name = {};  // goes into the file's description
    std::size_t inputs = 0;
    float input_bound = 16.0F;  // in deviations (design: narrower ranges hide what is far away)
    Normalise normalise = {};   // empty: the rows come in standardised
    std::vector<Layer> layers = {};
};

// What is wrong with the network's shape in one sentence; empty when it is sound.
[[nodiscard]] std::string fault_of(const Network& network);

// The standardised input, then each layer's output, in double precision.
[[nodiscard]] std::vector<std::vector<double>> trace(
    const Network& network, std::span<const float> row
);

// The last layer's output in double precision, the reference that the written models are judged by.
[[nodiscard]] std::vector<double> evaluate(const Network& network, std::span<const float> row);

}  // namespace stator::quantise
