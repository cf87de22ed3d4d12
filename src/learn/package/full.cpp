#include "learn/package/full.h"

#include "learn/package/package.h"
#include "learn/quantise/quantise.h"
#include "world/json/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace stator::package {

namespace {

using nlohmann::json;

constexpr std::size_t layers_max = 64;
constexpr std::array<std::string_view, 3> activations{"none", "relu", "relu6"};

struct Write {
    json operator()(const quantise::Dense& dense) const {
        return {
            {"kind", "dense"},
            {"inputs", dense.inputs},
            {"outputs", dense.outputs},
            {"weights", dense.weights},
            {"bias", dense.bias},
            {"activation", activations[static_cast<std::size_t>(dense.activation)]}
        };
    }

    json operator()(const quantise::Sum& sum) const {
        return {{"kind", "sum"}, {"gain", sum.gain}, {"offset", sum.offset}};
    }

    json operator()(const quantise::Square&) const { return {{"kind", "square"}}; }

    json operator()(const quantise::Residual&) const { return {{"kind", "residual"}}; }

    json operator()(const quantise::Logistic&) const { return {{"kind", "logistic"}}; }

    json operator()(const quantise::Tanh&) const { return {{"kind", "tanh"}}; }

    json operator()(const quantise::Softmax&) const { return {{"kind", "softmax"}}; }
};

std::string network_json(const train::Trained& trained) {
    json layers = json::array();
    for (const quantise::Layer& layer : trained.network.layers)
        layers.push_back(std::visit(Write{}, layer));
    const detect::Parameters& fold = trained.fold;
    const auto count = static_cast<std::ptrdiff_t>(fold.feature_count);
    return json{
        {"name", trained.network.name},
        {"inputs", trained.network.inputs},
        {"input_bound", trained.network.input_bound},
        {"layers", layers},
        {"limit", trained.limit},
        {"p99", trained.p99},
        {"fold",
         {{"mean", std::vector<float>(fold.mean.begin(), fold.mean.begin() + count)},
          {"sd", std::vector<float>(fold.sd.begin(), fold.sd.begin() + count)},
          {"smooth_count", fold.smooth_count},
          {"window_count", fold.window_count},
          {"range_sd", fold.range_sd},
          {"adapt_rate", fold.adapt_rate},
          {"anchor_sd_max", fold.anchor_sd_max},
          {"ewma_alpha", fold.ewma_alpha},
          {"threshold", fold.threshold},
          {"clear_below", fold.clear_below},
          {"raise_count", fold.raise_count},
          {"clear_count", fold.clear_count}}},
    }
        .dump();
}

// Reads members; the first that is missing or of another kind is remembered, and all later reads
// give nothing.
class Members {
  public:
    template <typename Number>
    void number(const json& object, const char* name, Number& into) {
        const auto found = object.is_object() ? object.find(name) : object.end();
        if (found == object.end() || !found->is_number()) return wrong(name);
        const auto value = found->get<double>();
        constexpr auto least = static_cast<double>(std::numeric_limits<Number>::lowest());
        constexpr auto most = static_cast<double>(std::numeric_limits<Number>::max());
        if (!std::isfinite(value) || value < least || value > most) return wrong(name);
        into = static_cast<Number>(value);
    }

    void numbers(const json& object, const char* name, std::vector<float>& into) {
        const auto found = object.is_object() ? object.find(name) : object.end();
        if (found == object.end() || !found->is_array()) return wrong(name);
        for (const json& value : *found) {
            if (!value.is_number()) return wrong(name);
            into.push_back(value.get<float>());
            if (!std::isfinite(into.back())) return wrong(name);
        }
    }

    [[nodiscard]] std::string text(const json& object, const char* name) {
        const auto found = object.is_object() ? object.find(name) : object.end();
        if (found != object.end() && found->is_string()) return found->get<std::string>();
        wrong(name);
        return {};
    }

    [[nodiscard]] const json& member(const json& object, const char* name) {
        const auto found = object.is_object() ? object.find(name) : object.end();
        if (found != object.end()) return *found;
        wrong(name);
        return nothing_;
    }

    void wrong(const std::string& name) {
        if (wrong_.empty()) wrong_ = name;
    }

    [[nodiscard]] const std::string& wrong() const { return wrong_; }

  private:
    std::string wrong_;
    json nothing_;
};

quantise::Layer read_layer(const json& layer, Members& members) {
    const std::string kind = members.text(layer, "kind");
    if (kind == "square") return quantise::Square{};
    if (kind == "residual") return quantise::Residual{};
    if (kind == "logistic") return quantise::Logistic{};
    if (kind == "tanh") return quantise::Tanh{};
    if (kind == "softmax") return quantise::Softmax{};
    if (kind == "sum") {
        quantise::Sum sum;
        members.number(layer, "gain", sum.gain);
        members.number(layer, "offset", sum.offset);
        return sum;
    }
    quantise::Dense dense;
    if (kind != "dense") members.wrong("layer of kind " + kind);
    members.number(layer, "inputs", dense.inputs);
    members.number(layer, "outputs", dense.outputs);
    members.numbers(layer, "weights", dense.weights);
    members.numbers(layer, "bias", dense.bias);
    const std::string activation = members.text(layer, "activation");
    const auto known = std::ranges::find(activations, activation);
    if (known == activations.end()) {
        members.wrong("activation");
    } else {
        dense.activation = static_cast<quantise::Activation>(known - activations.begin());
    }
    return dense;
}

void read_fold(const json& from, Members& members, detect::Parameters& fold) {
    for (const auto& [name, into] : {std::pair{"mean", &fold.mean}, std::pair{"sd", &fold.sd}}) {
        std::vector<float> values;
        members.numbers(from, name, values);
        if (values.size() > into->size()) return members.wrong(name);
        std::ranges::copy(values, into->begin());
        fold.feature_count = values.size();
    }
    members.number(from, "smooth_count", fold.smooth_count);
    members.number(from, "window_count", fold.window_count);
    members.number(from, "range_sd", fold.range_sd);
    members.number(from, "adapt_rate", fold.adapt_rate);
    members.number(from, "anchor_sd_max", fold.anchor_sd_max);
    members.number(from, "ewma_alpha", fold.ewma_alpha);
    members.number(from, "threshold", fold.threshold);
    members.number(from, "clear_below", fold.clear_below);
    members.number(from, "raise_count", fold.raise_count);
    members.number(from, "clear_count", fold.clear_count);
}

bool is_sound(const detect::Parameters& fold) {
    return fold.feature_count > 0 && fold.smooth_count >= 1 &&
           fold.smooth_count <= detect::smooth_max && fold.window_count >= 1 &&
           fold.window_count <= detect::window_max &&
           std::ranges::all_of(
               fold.sd.begin(),
               fold.sd.begin() + static_cast<std::ptrdiff_t>(fold.feature_count),
               [](float sd) { return sd > 0.0F; }
           );
}

std::string card_of(const asset::Asset& asset, const Full& full) {
    const Family family = family_of(full.trained.network);
    return json{
        {"family", family.name},
        {"asset", std::string{asset.id.view()}},
        {"level", full.level},
        {"data_set", full.data_set},
        {"rows", full.rows},
        {"limit_" + family.measure, full.trained.limit},
        {"healthy_p99_" + family.measure, full.trained.p99},
    }
        .dump();
}

}  // namespace

Outcome<std::string> write_full(const asset::Asset& asset, const Full& full) {
    auto tflite = quantise::write_float(full.trained.network);
    if (!tflite) return std::unexpected(tflite.error());
    return zip(
        {{"model.tflite", std::move(*tflite)},
         {"network.json", network_json(full.trained)},
         {"constants.json", constants_of(asset, full.trained.fold)},
         {"card.json", card_of(asset, full)}}
    );
}

Outcome<Full> read_full(std::string_view zipped, const std::string& name) {
    auto entries = unzip(zipped, name);
    if (!entries) return std::unexpected(entries.error());
    const json network = json::parse((*entries)["network.json"], nullptr, false);
    const json card = json::parse((*entries)["card.json"], nullptr, false);
    Full made;
    Members members;
    made.trained.network.name = members.text(network, "name");
    members.number(network, "inputs", made.trained.network.inputs);
    members.number(network, "input_bound", made.trained.network.input_bound);
    members.number(network, "limit", made.trained.limit);
    members.number(network, "p99", made.trained.p99);
    const json& layers = members.member(network, "layers");
    if (!layers.is_array() || layers.size() > layers_max) members.wrong("layers");
    for (std::size_t i = 0; members.wrong().empty() && i < layers.size(); ++i)
        made.trained.network.layers.push_back(read_layer(layers[i], members));
    read_fold(members.member(network, "fold"), members, made.trained.fold);
    made.data_set = members.text(card, "data_set");
    members.number(card, "level", made.level);
    members.number(card, "rows", made.rows);
    if (!members.wrong().empty())
        return fail(
            base::Fault::corrupt, fmt::format("{}: {} is missing or wrong", name, members.wrong())
        );
    if (const std::string fault = quantise::fault_of(made.trained.network); !fault.empty())
        return fail(base::Fault::corrupt, fmt::format("{}: {}", name, fault));
    const detect::Parameters& fold = made.trained.fold;
    if (!is_sound(fold) || made.trained.network.inputs != fold.feature_count * fold.window_count)
        return fail(base::Fault::corrupt, name + ": its fold does not fit its network");
    return made;
}

}  // namespace stator::package
