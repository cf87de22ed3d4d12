// quantise_run NETWORK ROWS channel|tensor bound|seen|rule FLOAT INT8: a network that was trained
// elsewhere, written by quantise.
//
// NETWORK is text: `inputs N`, then `normalise` (N means, N inverse deviations: physical units come
// in), `dense INPUTS OUTPUTS none|relu` (weights row by row, biases), `tanh` and `logistic`.
// ROWS holds calibration rows, N numbers each.
#include "learn/quantise/quantise.h"

#include <cstdio>
#include <fstream>
#include <string>

namespace {

using namespace stator::quantise;

std::vector<float> numbers(std::istream& in, std::size_t count) {
    std::vector<float> read(count);
    for (float& number : read)
        in >> number;
    return read;
}

bool read_network(std::istream& in, Network& network) {
    std::string word;
    while (in >> word) {
        if (word == "inputs") {
            in >> network.inputs;
        } else if (word == "normalise") {
            network.normalise.mean = numbers(in, network.inputs);
            network.normalise.inverse_deviation = numbers(in, network.inputs);
        } else if (word == "dense") {
            Dense dense;
            std::string activation;
            in >> dense.inputs >> dense.outputs >> activation;
            if (activation == "relu") dense.activation = Activation::relu;
            dense.weights = numbers(in, dense.inputs * dense.outputs);
            dense.bias = numbers(in, dense.outputs);
            network.layers.emplace_back(std::move(dense));
        } else if (word == "tanh") {
            network.layers.emplace_back(Tanh{});
        } else if (word == "logistic") {
            network.layers.emplace_back(Logistic{});
        } else {
            return false;
        }
    }
    return in.eof() && fault_of(network).empty();
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 7) {
        std::fprintf(
            stderr, "usage: quantise_run NETWORK ROWS channel|tensor bound|seen|rule FLOAT INT8\n"
        );
        return 2;
    }
    Network network{.name = "judged"};
    std::ifstream text{argv[1]};
    if (!read_network(text, network)) {
        std::fprintf(stderr, "%s: %s\n", argv[1], fault_of(network).c_str());
        return 1;
    }
    std::vector<Row> rows;
    std::ifstream calibration{argv[2]};
    while (calibration >> std::ws && calibration.peek() != EOF)
        rows.push_back(numbers(calibration, network.inputs));
    Options options = options_for(network);
    options.mean_loss_max = options.limit_loss_max = 1e9;
    options.flips_max = 1;
    options.per_channel = std::string{argv[3]} == "channel";
    if (const std::string range{argv[4]}; range != "rule") options.input_as_seen = range == "seen";
    const auto real = write_float(network, options.profile);
    const auto made = quantise(network, rows, options);
    if (!real || !made) {
        std::fprintf(stderr, "%s\n", (real ? made.error() : real.error()).what.c_str());
        return 1;
    }
    std::ofstream{argv[5], std::ios::binary} << *real;
    std::ofstream{argv[6], std::ios::binary} << made->tflite;
    return 0;
}
