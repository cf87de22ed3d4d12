#include "sense/proof/proof.h"

#include "sense/hal/conformance.h"
#include "shared/bundle/compose.h"
#include "shared/signal/extract.h"
#include "shared/signal/fft.h"
#include "shared/tinyml/model.h"

#include <algorithm>
#include <cmath>

namespace stator::proof {
namespace {

constexpr std::string_view model_name = "2026-11-23-03:00:00-model.tflite";
constexpr std::string_view command = R"({"command":"download-model","payload":")"
                                     "2026-11-23-03:00:00-model.tflite\"}";
constexpr std::int64_t step_us = 20'000;
constexpr std::int64_t update_us = 5'000'000;
constexpr std::int64_t fault_us = 25'000'000;
constexpr std::int64_t repair_us = 40'000'000;
constexpr std::int64_t end_us = 60'000'000;

asset::Asset asset_of_13_features() {
    asset::Asset asset = asset::shaded_pole_motor();
    asset.id = "proof";
    asset.device = "proof-1";
    asset.mode = asset::Mode::act;
    static_cast<void>(asset.features.push_back({0, asset::Statistic::crest}));
    return asset;
}

}  // namespace

Proof::Proof(hal::Flash& flash, std::span<const std::byte> tflite, Report& report)
    : flash_{flash}, tflite_{tflite}, report_{report}, asset_{asset_of_13_features()} {}

bool Proof::reached(bool it, std::string_view what) {
    if (!it) report_.value(what, 0);
    return it;
}

bool Proof::run() {
    if (!conforms()) return false;
    signal();
    return model() && make_manifest() && node();
}

// The suite of the ports, where this one runs: its flash is blank again afterwards.
bool Proof::conforms() {
    bool all = true;
    const auto hold = [&](std::string_view name, std::string_view broken) {
        report_.value(name, broken.empty() ? 1 : 0);
        all = reached(broken.empty(), broken) && all;
    };
    hold("flash_conforms", hal::check_flash([&]() -> hal::Flash& { return flash_; }));
    for (std::size_t sector = 0; sector < 4; ++sector)
        static_cast<void>(flash_.erase(sector * flash_.sector_bytes()));
    constexpr std::uint16_t counts_max = 4095;
    hold("adc_conforms", hal::check_adc(motor_, asset_.channels.size(), counts_max, counts_));
    hold("actuators_conform", hal::check_actuators(motor_));
    hold("time_conforms", hal::check_time(time_));
    hold("entropy_conforms", hal::check_entropy(entropy_));
    return all;
}

void Proof::signal() {
    Trace trace;
    for (std::size_t channel = 0; channel < asset_.channels.size(); ++channel) {
        const auto frame =
            std::span{counts_}.first(signal::frame_samples(asset_.channels[channel].sampling));
        static_cast<void>(motor_.read(channel, frame));
        report_.begin();
        signal::extract(asset_, channel, frame, workspace_, baseline_);
        report_.end("extract");
    }
    for (std::size_t i = 0; i < asset_.features.size(); ++i)
        trace.add(baseline_[i]);
    report_.value("features", trace.hash());

    const std::span<float> window = workspace_.spectrum;
    for (std::size_t i = 0; i < window.size(); ++i)
        window[i] = static_cast<float>(counts_[i]) - 2'048.0F;
    signal::hamming(window);
    report_.begin();
    signal::real_fft(window);
    report_.end("fft");
    Trace spectrum;
    for (const float line : window)
        spectrum.add(line);
    report_.value("spectrum", spectrum.hash());
    report_.value("peak_line_1000", static_cast<std::uint64_t>(signal::peak_line(window) * 1e3F));
}

bool Proof::model() {
    tinyml::Reason reason;
    auto model = tinyml::Model::load(tflite_, arenas_[0], reason);
    if (!reached(model.has_value(), "missing: a model that loads")) return false;
    const std::size_t inputs = model->needs().input_count;
    if (!reached(inputs == asset_.features.size(), "missing: a model of 13 inputs")) return false;
    Trace trace;
    std::array<float, asset::features_max> input{};
    for (std::size_t round = 0; round < 64; ++round) {
        for (std::size_t i = 0; i < inputs; ++i)
            input[i] =
                static_cast<float>(static_cast<std::int32_t>(entropy_.next() >> 20U) - 2048) /
                512.0F;
        float value = 0.0F;
        report_.begin();
        model->invoke(std::span{input}.first(inputs), std::span{&value, 1});
        report_.end("inference");
        trace.add(value);
    }
    report_.value("inference", trace.hash());
    return true;
}

// A manifest whose golden sequence was made here: on another processor the same text must come out.
bool Proof::make_manifest() {
    bundle::Manifest manifest;
    manifest.name = model_name;
    manifest.device_class = asset_.device_class;
    manifest.release = 1;
    verifier_.sha256(tflite_, manifest.tflite_sha256);
    manifest.tflite_bytes = tflite_.size();
    manifest.feature_set = asset::feature_set_hash(asset_);
    const std::size_t features = asset_.features.size();
    manifest.fold.feature_count = features;
    for (std::size_t i = 0; i < features; ++i) {
        manifest.fold.mean[i] = baseline_[i];
        manifest.fold.sd[i] = std::max(std::fabs(baseline_[i]) * 0.1F, 1e-3F);
    }
    tinyml::Reason reason;
    auto model = tinyml::Model::load(tflite_, arenas_[0], reason);
    if (!model) return false;
    manifest.arena_bytes = model->needs().arena_bytes;
    detect::State state;
    manifest.golden.steps = 12;
    for (std::size_t step = 0; step < manifest.golden.steps; ++step) {
        auto& row = manifest.golden.features[step];
        for (std::size_t i = 0; i < features; ++i)
            row[i] = baseline_[i] * (1.0F + 0.05F * static_cast<float>(step));
        manifest.golden.values[step] =
            detect::step(state, std::span{row}.first(features), manifest.fold, *model).value;
    }
    constexpr std::size_t head = 129;  // 128 digits and a newline
    const auto json = bundle::compose(manifest, {}, std::span{served_}.subspan(head));
    if (!reached(json.has_value(), "missing: room for the manifest")) return false;
    const auto signature = Verifier::sign(*json);
    constexpr std::string_view digits = "0123456789abcdef";
    for (std::size_t i = 0; i < signature.size(); ++i) {
        served_[2 * i] = digits[signature[i] >> 4U];
        served_[2 * i + 1] = digits[signature[i] & 15U];
    }
    served_[head - 1] = '\n';
    fetch_.manifest = std::as_bytes(std::span{served_}.first(head + json->size()));
    fetch_.tflite = tflite_;
    Trace trace;
    trace.add(fetch_.manifest);
    report_.value("manifest", trace.hash());
    return true;
}

bool Proof::node() {
    node::Config config;
    config.stored_marks = false;
    const hal::Hal hal{
        motor_, motor_, flash_, link_, fetch_, time_, entropy_, watchdog_, log_, verifier_
    };
    node_.emplace(
        hal,
        asset_,
        config,
        node::Memory{
            .readings = readings_,
            .events = events_,
            .arenas = {arenas_[0], arenas_[1]},
            .envelope = envelope_,
            .counts = counts_,
        }
    );
    const wire::Topic topic = config.topics.command_of(asset_.device.view());
    bool alarmed = false;
    for (; time_.now_us < end_us; time_.now_us += step_us) {
        if (time_.now_us == update_us) link_.say(topic.view(), command);
        motor_.fault = time_.now_us >= fault_us && time_.now_us < repair_us;
        const std::uint64_t readings = node_->status().readings;
        report_.begin();
        static_cast<void>(node_->step());
        const bool read = node_->status().readings != readings;
        report_.end(read ? "step with a reading" : "step without a reading");
        alarmed = alarmed || node_->status().alarm;
    }
    const node::Status status = node_->status();
    report_.value("node", trace_.hash());
    report_.value("messages", link_.published());
    report_.value("readings", status.readings);
    report_.value("release", status.release);
    report_.value("valve", motor_.valve_degrees_max());
    return reached(status.active, "missing: activation") &&
           reached(status.release == 1 && status.model == model_name, "missing: the update") &&
           reached(alarmed, "missing: the alarm") &&
           reached(motor_.valve_degrees_max() == 180, "missing: the valve") &&
           reached(status.waiting == 0, "missing: what waits went out") &&
           reached(watchdog_.fed == static_cast<std::uint64_t>(end_us / step_us), "missing: steps");
}

}  // namespace stator::proof
