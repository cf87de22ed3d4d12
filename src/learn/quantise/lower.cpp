#include "learn/quantise/lower.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

namespace stator::quantise {

namespace {

using tinyml::Kind;
using tinyml::Op;

// Numbers in the schema's union BuiltinOptions.
constexpr std::uint8_t fully_connected_options = 8;
constexpr std::uint8_t softmax_options = 9;
constexpr std::uint8_t mul_options = 21;
constexpr std::uint8_t sub_options = 28;

template <typename T>
std::string bytes_of(const std::vector<T>& numbers) {
    std::string bytes(numbers.size() * sizeof(T), '\0');
    std::memcpy(bytes.data(), numbers.data(), bytes.size());
    return bytes;
}

std::int32_t whole(std::size_t n) {
    return static_cast<std::int32_t>(n);
}

struct Value {
    std::int32_t tensor = 0;
    std::size_t width = 0;
};

class Lowering {
  public:
    Lowering(const Network& network, const std::vector<Range>* ranges, bool per_channel)
        : network_{network}, ranges_{ranges}, per_channel_{per_channel} {}

    std::string run(bool int8_ends);

  private:
    [[nodiscard]] bool int8() const { return ranges_ != nullptr; }

    [[nodiscard]] std::int32_t version(std::int32_t float_version, std::int32_t int8_version)
        const {
        return int8() ? int8_version : float_version;
    }

    Value real(const std::string& name, std::size_t width);
    Value step(const std::string& name, std::size_t width, const Scale& scale);
    Value result(const std::string& name, std::size_t width, const Scale& scale);
    std::int32_t constant(const std::string& name, const std::vector<float>& numbers);
    Value normalised(Value in);
    Value layer(std::size_t i, Value in);
    Value dense(const Dense& layer, const std::string& name, Value in, const Scale& scale);
    Value curve(Op op, const std::string& name, Value in, const Scale& scale);
    std::int32_t weights8(const Dense& layer, const std::string& name);
    std::int32_t bias8(
        const Dense& layer, const std::string& name, std::int32_t weights, float input_scale
    );

    const Network& network_;
    const std::vector<Range>* ranges_;
    bool per_channel_;
    TfliteWriter writer_;
    Value first_;  // the standardised input, for Residual
};

Value Lowering::real(const std::string& name, std::size_t width) {
    return {writer_.add({.name = name, .shape = {1, whole(width)}}), width};
}

Value Lowering::step(const std::string& name, std::size_t width, const Scale& scale) {
    TensorSpec spec{.name = name, .kind = Kind::int8, .shape = {1, whole(width)}};
    spec.scales = {scale.scale};
    spec.zero_point = scale.zero_point;
    return {writer_.add(spec), width};
}

Value Lowering::result(const std::string& name, std::size_t width, const Scale& scale) {
    return int8() ? step(name, width, scale) : real(name, width);
}

std::int32_t Lowering::constant(const std::string& name, const std::vector<float>& numbers) {
    TensorSpec spec{.name = name, .shape = {1, whole(numbers.size())}};
    spec.data = bytes_of(numbers);
    return writer_.add(spec);
}

Value Lowering::normalised(Value in) {
    const Normalise& n = network_.normalise;
    if (n.mean.empty()) return in;
    const Value centred = real("centred", in.width);
    const Value scaled = real("standardised", in.width);
    writer_.add(
        {.op = Op::sub,
         .inputs = {in.tensor, constant("mean", n.mean)},
         .outputs = {centred.tensor},
         .options_type = sub_options}
    );
    writer_.add(
        {.op = Op::mul,
         .inputs = {centred.tensor, constant("inverse_deviation", n.inverse_deviation)},
         .outputs = {scaled.tensor},
         .options_type = mul_options}
    );
    return scaled;
}

// Symmetric int8 weights: a scale for each row, or one for all.
std::int32_t Lowering::weights8(const Dense& layer, const std::string& name) {
    std::vector<float> scales(per_channel_ ? layer.outputs : 1, 0.0F);
    const auto channel = [&](std::size_t o) { return per_channel_ ? o : 0; };
    for (std::size_t o = 0; o < layer.outputs; ++o) {
        for (std::size_t i = 0; i < layer.inputs; ++i) {
            float& top = scales[channel(o)];
            top = std::max(top, std::fabs(layer.weights[o * layer.inputs + i]));
        }
    }
    for (float& scale : scales)
        scale = scale > 0 ? scale / 127.0F : 1.0F;
    std::vector<std::int8_t> steps(layer.weights.size());
    for (std::size_t k = 0; k < steps.size(); ++k) {
        const float step = std::round(layer.weights[k] / scales[channel(k / layer.inputs)]);
        steps[k] = static_cast<std::int8_t>(std::clamp(step, -127.0F, 127.0F));
    }
    TensorSpec spec{.name = name + "/weights", .kind = Kind::int8};
    spec.shape = {whole(layer.outputs), whole(layer.inputs)};
    spec.scales = scales;
    spec.data = bytes_of(steps);
    return writer_.add(spec);
}

std::int32_t Lowering::bias8(
    const Dense& layer, const std::string& name, std::int32_t weights, float input_scale
) {
    constexpr double largest = 1 << 30;
    std::vector<float> scales = writer_.tensor(weights).scales;
    for (float& scale : scales)
        scale *= input_scale;
    std::vector<std::int32_t> steps(layer.outputs);
    for (std::size_t o = 0; o < layer.outputs; ++o) {
        const float bias = layer.bias.empty() ? 0.0F : layer.bias[o];
        const auto scale = static_cast<double>(scales[scales.size() > 1 ? o : 0]);
        const double step = std::round(static_cast<double>(bias) / scale);
        steps[o] = static_cast<std::int32_t>(std::clamp(step, -largest, largest));
    }
    TensorSpec spec{.name = name + "/bias", .kind = Kind::int32, .shape = {whole(layer.outputs)}};
    spec.scales = scales;
    spec.data = bytes_of(steps);
    return writer_.add(spec);
}

Value Lowering::dense(const Dense& layer, const std::string& name, Value in, const Scale& scale) {
    std::int32_t weights = 0;
    std::int32_t bias = 0;
    if (int8()) {
        weights = weights8(layer, name);
        bias = bias8(layer, name, weights, writer_.tensor(in.tensor).scales[0]);
    } else {
        TensorSpec spec{.name = name + "/weights"};
        spec.shape = {whole(layer.outputs), whole(layer.inputs)};
        spec.data = bytes_of(layer.weights);
        weights = writer_.add(spec);
        std::vector<float> numbers = layer.bias;
        numbers.resize(layer.outputs, 0.0F);
        TensorSpec bias_spec{.name = name + "/bias", .shape = {whole(layer.outputs)}};
        bias_spec.data = bytes_of(numbers);
        bias = writer_.add(bias_spec);
    }
    const Value out = result(name, layer.outputs, scale);
    tinyml::Fused fused = tinyml::Fused::none;
    if (layer.activation == Activation::relu) fused = tinyml::Fused::relu;
    if (layer.activation == Activation::relu6) fused = tinyml::Fused::relu6;
    writer_.add(
        {.op = Op::fully_connected,
         .version = version(1, 4),
         .inputs = {in.tensor, weights, bias},
         .outputs = {out.tensor},
         .options_type = fully_connected_options,
         .options =
             {{.field = tinyml::field::fully_connected::activation,
               .value = static_cast<double>(fused)}}}
    );
    return out;
}

Value Lowering::curve(Op op, const std::string& name, Value in, const Scale& scale) {
    const Value out = result(name, in.width, scale);
    OperatorSpec spec{.op = op, .version = version(1, 2)};
    spec.inputs = {in.tensor};
    spec.outputs = {out.tensor};
    if (op == Op::softmax) {
        spec.options_type = softmax_options;
        spec.options = {
            {.field = tinyml::field::softmax::beta, .width = Option::Width::real, .value = 1.0}
        };
    }
    writer_.add(spec);
    return out;
}

Value Lowering::layer(std::size_t i, Value in) {
    const Layer& layer = network_.layers[i];
    const std::string name = fmt::format("layer_{}", i + 1);
    const Scale scale = int8() ? scale_of((*ranges_)[i + 1]) : Scale{};
    const Scale part{1.0F / 256.0F, -128};  // of what lies in [0, 1]
    if (const auto* dense_layer = std::get_if<Dense>(&layer)) {
        return dense(*dense_layer, name, in, scale);
    }
    if (const auto* sum = std::get_if<Sum>(&layer)) {
        Dense row{.inputs = in.width, .outputs = 1, .weights = {}, .bias = {sum->offset}};
        row.weights.assign(in.width, sum->gain);
        return dense(row, name, in, scale);
    }
    if (std::holds_alternative<Logistic>(layer)) return curve(Op::logistic, name, in, part);
    if (std::holds_alternative<Softmax>(layer)) return curve(Op::softmax, name, in, part);
    if (std::holds_alternative<Tanh>(layer)) return curve(Op::tanh, name, in, {1.0F / 128.0F, 0});
    const bool square = std::holds_alternative<Square>(layer);
    const Value out = result(name, in.width, scale);
    writer_.add(
        {.op = square ? Op::mul : Op::sub,
         .version = version(1, 2),
         .inputs = {square ? in.tensor : first_.tensor, in.tensor},
         .outputs = {out.tensor},
         .options_type = square ? mul_options : sub_options}
    );
    return out;
}

std::string Lowering::run(bool int8_ends) {
    const Scale input_scale = int8() ? scale_of((*ranges_)[0]) : Scale{};
    const bool real_input = !int8() || !int8_ends;
    const Value input =
        real_input ? real("input", network_.inputs) : step("input", network_.inputs, input_scale);
    Value at = normalised(input);
    if (int8() && real_input) {
        const Value steps = step("steps", at.width, input_scale);
        writer_.add({.op = Op::quantize, .inputs = {at.tensor}, .outputs = {steps.tensor}});
        at = steps;
    }
    first_ = at;
    for (std::size_t i = 0; i < network_.layers.size(); ++i)
        at = layer(i, at);
    if (int8() && !int8_ends) {
        const Value out = real("output", at.width);
        writer_.add(
            {.op = Op::dequantize, .version = 2, .inputs = {at.tensor}, .outputs = {out.tensor}}
        );
        at = out;
    }
    return writer_.finish(input.tensor, at.tensor, network_.name);
}

}  // namespace

std::string lower_to_float(const Network& network) {
    return Lowering{network, nullptr, false}.run(false);
}

std::string lower_to_int8(
    const Network& network, const std::vector<Range>& ranges, const Int8Form& form
) {
    return Lowering{network, &ranges, form.per_channel}.run(form.int8_ends);
}

}  // namespace stator::quantise
