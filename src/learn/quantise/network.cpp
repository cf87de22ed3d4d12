#include "learn/quantise/network.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace stator::quantise {

namespace {

template <class... T>
struct Overloaded : T... {
    using T::operator()...;
};
template <class... T>
Overloaded(T...) -> Overloaded<T...>;

bool all_finite(const std::vector<float>& numbers) {
    return std::all_of(numbers.begin(), numbers.end(), [](float v) { return std::isfinite(v); });
}

std::string fault_of_dense(const Dense& dense, std::size_t width) {
    if (dense.inputs != width) {
        return fmt::format("takes {} values where {} come in", dense.inputs, width);
    }
    if (dense.outputs == 0) return "has no outputs";
    if (dense.weights.size() != dense.inputs * dense.outputs) {
        return fmt::format(
            "has {} weights, not {} x {}", dense.weights.size(), dense.outputs, dense.inputs
        );
    }
    if (!dense.bias.empty() && dense.bias.size() != dense.outputs) {
        return fmt::format("has {} biases for {} outputs", dense.bias.size(), dense.outputs);
    }
    if (!all_finite(dense.weights) || !all_finite(dense.bias)) {
        return "has a weight or bias that is not a finite number";
    }
    return {};
}

double activated(double value, Activation activation) {
    if (activation == Activation::none) return value;
    const double positive = std::max(value, 0.0);
    return activation == Activation::relu6 ? std::min(positive, 6.0) : positive;
}

using Values = std::vector<double>;

Values through(const Dense& dense, const Values& in) {
    Values out(dense.outputs);
    for (std::size_t o = 0; o < dense.outputs; ++o) {
        double sum = dense.bias.empty() ? 0.0 : static_cast<double>(dense.bias[o]);
        for (std::size_t i = 0; i < dense.inputs; ++i) {
            sum += static_cast<double>(dense.weights[o * dense.inputs + i]) * in[i];
        }
        out[o] = activated(sum, dense.activation);
    }
    return out;
}

Values softmax(Values v) {
    const double top = *std::max_element(v.begin(), v.end());
    double sum = 0;
    for (double& x : v) {
        x = std::exp(x - top);
        sum += x;
    }
    for (double& x : v)
        x /= sum;
    return v;
}

Values mapped(Values v, double (*curve)(double)) {
    std::transform(v.begin(), v.end(), v.begin(), curve);
    return v;
}

Values apply(const Layer& layer, const Values& in, const Values& first) {
    return std::visit(
        Overloaded{
            [&](const Dense& dense) { return through(dense, in); },
            [&](const Square&) { return mapped(in, [](double x) { return x * x; }); },
            [&](const Sum& sum) {
                double total = 0;
                for (const double x : in)
                    total += x;
                return Values{
                    static_cast<double>(sum.gain) * total + static_cast<double>(sum.offset)
                };
            },
            [&](const Residual&) {
                Values out = first;
                for (std::size_t i = 0; i < out.size(); ++i)
                    out[i] -= in[i];
                return out;
            },
            [&](const Logistic&) {
                return mapped(in, [](double x) { return 1.0 / (1.0 + std::exp(-x)); });
            },
            [&](const Tanh&) { return mapped(in, [](double x) { return std::tanh(x); }); },
            [&](const Softmax&) { return softmax(in); },
        },
        layer
    );
}

}  // namespace

std::string fault_of(const Network& network) {
    if (network.inputs == 0) return "the network has no inputs";
    if (network.layers.empty()) return "the network has no layers";
    if (!(network.input_bound > 0) || !std::isfinite(network.input_bound)) {
        return "the network's input bound is not a positive number";
    }
    const Normalise& n = network.normalise;
    const std::size_t constants = n.mean.size();
    if (constants != n.inverse_deviation.size() ||
        (constants != 0 && constants != network.inputs) || !all_finite(n.mean) ||
        !all_finite(n.inverse_deviation)) {
        return "the network's means and deviations are not one finite pair an input";
    }
    std::size_t width = network.inputs;
    for (std::size_t i = 0; i < network.layers.size(); ++i) {
        std::string fault;
        const Layer& layer = network.layers[i];
        if (const auto* dense = std::get_if<Dense>(&layer)) {
            fault = fault_of_dense(*dense, width);
            width = dense->outputs;
        } else if (const auto* sum = std::get_if<Sum>(&layer)) {
            if (!std::isfinite(sum->gain) || !std::isfinite(sum->offset) || sum->gain == 0.0F) {
                fault = "has a gain or offset that is no number to multiply with";
            }
            width = 1;
        } else if (std::holds_alternative<Residual>(layer) && width != network.inputs) {
            fault = fmt::format("compares {} values with {} inputs", width, network.inputs);
        }
        if (!fault.empty()) return fmt::format("layer {} of the network {}", i + 1, fault);
    }
    return {};
}

std::vector<std::vector<double>> trace(const Network& network, std::span<const float> row) {
    Values first(row.begin(), row.end());
    const Normalise& n = network.normalise;
    for (std::size_t i = 0; i < n.mean.size(); ++i) {
        first[i] = (first[i] - static_cast<double>(n.mean[i])) *
                   static_cast<double>(n.inverse_deviation[i]);
    }
    std::vector<Values> values{first};
    for (const Layer& layer : network.layers)
        values.push_back(apply(layer, values.back(), first));
    return values;
}

std::vector<double> evaluate(const Network& network, std::span<const float> row) {
    return trace(network, row).back();
}

}  // namespace stator::quantise
