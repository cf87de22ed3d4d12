// make_models FOLDER: writes the zoo and what quantise makes of its networks.
#include "learn/quantise/quantise.h"
#include "oracle/zoo.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>

namespace {

using namespace stator::quantise;

std::mt19937 chance{11};

float normal(float deviation) {
    return std::normal_distribution<float>{0.0F, deviation}(chance);
}

Dense dense(std::size_t inputs, std::size_t outputs, Activation activation) {
    Dense layer{.inputs = inputs, .outputs = outputs, .activation = activation};
    for (std::size_t i = 0; i < inputs * outputs; ++i)
        layer.weights.push_back(normal(1.5F / std::sqrt(static_cast<float>(inputs))));
    for (std::size_t i = 0; i < outputs; ++i)
        layer.bias.push_back(normal(0.2F));
    return layer;
}

std::vector<Row> rows(const Network& network) {
    std::vector<Row> made(300, Row(network.inputs));
    for (Row& row : made) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            row[i] = normal(1.0F);
            if (!network.normalise.mean.empty()) {
                row[i] =
                    row[i] / network.normalise.inverse_deviation[i] + network.normalise.mean[i];
            }
        }
    }
    return made;
}

Network baseline(std::size_t n) {
    Network network{.name = "baseline", .inputs = n};
    Dense whiten = dense(n, n, Activation::none);
    whiten.bias.clear();
    for (std::size_t i = 0; i < n; ++i)
        whiten.weights[i * n + i] += 1.0F;
    const float limit = 9.0F * static_cast<float>(n);
    network.layers = {whiten, Square{}, Sum{4.0F / limit, -4.0F}, Logistic{}};
    return network;
}

Network classifier(std::size_t n, Activation activation) {
    Network network{.name = "classifier", .inputs = n};
    network.layers = {
        dense(n, 60, activation),
        dense(60, 30, activation),
        dense(30, 10, activation),
        dense(10, 1, Activation::none),
        Logistic{}
    };
    return network;
}

Network autoencoder(std::size_t n) {
    Network network{.name = "autoencoder", .inputs = n};
    network.layers = {
        dense(n, 6, Activation::none),
        Tanh{},
        dense(6, n, Activation::none),
        Residual{},
        Square{},
        Sum{0.1F, -4.0F},
        Logistic{}
    };
    return network;
}

Network choice(std::size_t n) {
    Network network{.name = "choice", .inputs = n};
    network.layers = {dense(n, 12, Activation::relu), dense(12, 5, Activation::none), Softmax{}};
    return network;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    const std::filesystem::path folder{argv[1]};
    std::filesystem::create_directories(folder);
    const auto keep = [&](const std::string& name, const std::string& tflite) {
        std::ofstream{folder / (name + ".tflite"), std::ios::binary} << tflite;
    };
    bool sound = true;
    const auto keep_network = [&](const std::string& name, const Network& network) {
        Options options{.mean_loss_max = 1, .limit_loss_max = 1, .flips_max = 1};
        if (!network.normalise.mean.empty()) options.profile = Profile::reference;
        const auto real = write_float(network, options.profile);
        sound = sound && real.has_value();
        if (real) keep(name + "_float", *real);
        for (const bool per_channel : {true, false}) {
            for (const bool ends : {true, false}) {
                if (ends && options.profile == Profile::reference) continue;
                options.per_channel = per_channel;
                options.int8_ends = ends;
                const auto made = quantise(network, rows(network), options);
                if (!made) {
                    std::fprintf(stderr, "%s: %s\n", name.c_str(), made.error().what.c_str());
                    sound = false;
                    continue;
                }
                keep(
                    name + (per_channel ? "_pc" : "_pt") + (ends ? "_int8" : "_floatio"),
                    made->tflite
                );
            }
        }
    };
    for (const std::size_t n : {4UL, 13UL, 24UL})
        keep_network("baseline" + std::to_string(n), baseline(n));
    keep_network("classifier4", classifier(4, Activation::relu));
    keep_network("classifier9_relu6", classifier(9, Activation::relu6));
    keep_network("autoencoder16", autoencoder(16));
    keep_network("choice8", choice(8));
    Network physical = classifier(4, Activation::relu);
    physical.normalise = {{0.6F, 41.0F, 0.12F, 0.8F}, {10.0F, 0.4F, 50.0F, 6.0F}};
    keep_network("reference4", physical);
    stator::oracle::make_zoo(keep);
    return sound ? 0 : 1;
}
