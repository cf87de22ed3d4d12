// The node over a machine of memory, a registry of memory and a small model, for its tests.
#pragma once

#include "sense/node/fake_hal_test.h"
#include "sense/node/node.h"
#include "sense/node/small_model_test.h"
#include "shared/bundle/compose.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace stator::node {

constexpr const char* first_name = "2026-11-23-03:00:00-model.tflite";
constexpr const char* second_name = "2026-11-23-04:00:00-model.tflite";

struct Draft {
    std::string name = first_name;
    std::string device_class = "motor";
    int level = 1;
    int release = 1;
    float bias = -5.0F;
    float golden_shift = 0.0F;  // of what the golden sequence should give
};

inline asset::Channel channel(const char* name) {  // one unit a count, zero at 1000
    asset::Channel made;
    made.name = name;
    made.calibration.zero_counts = 1'000.0F;
    return made;
}

class NodeTest : public testing::Test {
  protected:
    NodeTest()
        : readings_(64),
          events_(32),
          arena_(2, std::vector<std::byte>(4096)),
          envelope_(4096),
          counts_(signal::waveform_samples) {
        asset_.device = "7";
        asset_.device_class = "motor";
        asset_.mode = asset::Mode::act;
        asset_.effect_flow_min = 5.0F;
        EXPECT_TRUE(asset_.channels.push_back(channel("vibration")));
        EXPECT_TRUE(asset_.channels.push_back(channel("temperature")));
        EXPECT_TRUE(asset_.features.push_back({.channel = 0}));
        EXPECT_TRUE(asset_.features.push_back({.channel = 1}));
        config_.interval_ms = 100;
        asset_.interlock.min_off_ms = 100;
        config_.stored_wait_ms = 50;
        machine_.adc.make = [this](std::size_t, std::span<std::uint16_t> counts) {
            std::ranges::fill(counts, static_cast<std::uint16_t>(1'000 + level_));
        };
    }

    void boot() {
        machine_.time.now_us += 1'000'000;
        machine_.link.lose();
        machine_.link.connect();
        node_.emplace(
            machine_.hal(),
            asset_,
            config_,
            Memory{
                .readings = readings_,
                .events = events_,
                .arenas = {std::span{arena_[0]}, std::span{arena_[1]}},
                .envelope = envelope_,
                .counts = counts_,
                .frame = frame_,
            }
        );
    }

    void run(int milliseconds) {
        if (!node_) boot();
        for (int i = 0; i < milliseconds; i += 10) {
            machine_.time.now_us += 10'000;
            node_->step();
        }
    }

    bundle::Manifest manifest_of(const Draft& draft, std::span<const std::byte> tflite) {
        bundle::Manifest manifest;
        manifest.name = draft.name.c_str();
        manifest.device_class = draft.device_class.c_str();
        manifest.level = static_cast<std::uint32_t>(draft.level);
        manifest.release = static_cast<std::uint32_t>(draft.release);
        machine_.verifier.sha256(tflite, manifest.tflite_sha256);
        manifest.tflite_bytes = tflite.size();
        tinyml::Reason reason;
        const auto needs = tinyml::check(tflite, reason);
        EXPECT_TRUE(needs) << reason.view();
        manifest.arena_bytes = needs->arena_bytes;
        manifest.feature_set = asset::feature_set_hash(asset_);
        manifest.fold.feature_count = 2;
        manifest.fold.sd.fill(1.0F);
        manifest.fold.smooth_count = 1;
        manifest.fold.ewma_alpha = 1.0F;
        manifest.fold.clear_count = 3;
        std::vector<std::byte> arena(4096);
        auto model = tinyml::Model::load(tflite, arena, reason);
        EXPECT_TRUE(model) << reason.view();
        detect::State state;
        manifest.golden.steps = 4;
        for (std::size_t i = 0; i < manifest.golden.steps; ++i) {
            manifest.golden.features[i] = {static_cast<float>(i), 1.5F};
            const std::span<const float> row{manifest.golden.features[i]};
            manifest.golden.values[i] =
                detect::step(state, row.first(2), manifest.fold, *model).value + draft.golden_shift;
        }
        return manifest;
    }

    void offer(const Draft& draft) {
        const std::string tflite = make_tflite(draft.bias);
        std::vector<char> buffer(bundle::envelope_bytes_max);
        const auto json =
            bundle::compose(manifest_of(draft, std::as_bytes(std::span{tflite})), "", buffer);
        ASSERT_TRUE(json);
        std::string envelope;
        for (const auto byte : fake::Verifier::sign(*json)) {
            envelope += "0123456789abcdef"[byte >> 4U];
            envelope += "0123456789abcdef"[byte & 15U];
        }
        machine_.fetch.files["/manifest/" + draft.name] = envelope + '\n' + std::string{*json};
        machine_.fetch.files["/quantized/" + draft.name] = tflite;
    }

    // As the factory wrote it; what is offered later does not change it.
    void give_factory_model(const Draft& draft) {
        offer(draft);
        factory_envelope_ = machine_.fetch.files["/manifest/" + draft.name];
        factory_tflite_ = machine_.fetch.files["/quantized/" + draft.name];
        machine_.factory_model = {
            .envelope = factory_envelope_, .tflite = std::as_bytes(std::span{factory_tflite_})
        };
    }

    void order(const std::string& name) {
        machine_.link.deliver(
            "stator/devices/7/command", R"({"command":"download-model","payload":")" + name + "\"}"
        );
    }

    // Device events of a kind, from the first: "state/reason", in the order they were sent.
    std::string told(std::string_view kind) {
        std::string text;
        for (; looked_ < machine_.link.sent.size(); ++looked_) {
            const auto event = wire::decode_event(machine_.link.sent[looked_].payload);
            if (!event || wire::kind_of(*event) != kind) continue;
            if (!text.empty()) text += ' ';
            if (const auto* model = std::get_if<wire::ModelEvent>(&event->what)) {
                text += wire::name_of(model->state);
                if (!model->reason.empty()) text += '/' + std::string{model->reason.view()};
            } else if (const auto* firmware = std::get_if<wire::FirmwareEvent>(&event->what)) {
                text += wire::name_of(firmware->state);
                if (!firmware->reason.empty()) text += '/' + std::string{firmware->reason.view()};
            } else if (const auto* action = std::get_if<wire::ActionEvent>(&event->what)) {
                text += wire::name_of(action->state);
                if (!action->reason.empty()) text += '/' + std::string{action->reason.view()};
            }
        }
        return text;
    }

    std::vector<std::uint64_t> seqs() {
        std::vector<std::uint64_t> all;
        for (const auto& sent : machine_.link.sent)
            all.push_back(*wire::decode_head(sent.payload)->seq);
        return all;
    }

    void mark(std::uint64_t seq) {
        machine_.link.deliver(
            "stator/devices/7/stored", R"({"boot":1,"seq":)" + std::to_string(seq) + "}"
        );
    }

    fake::Machine machine_;
    asset::Asset asset_;
    Config config_;
    std::vector<WaitingReading> readings_;
    std::vector<WaitingDeviceEvent> events_;
    std::vector<std::vector<std::byte>> arena_;
    std::vector<char> envelope_;
    std::vector<std::uint16_t> counts_;
    std::vector<std::uint16_t> frame_;  // none, unless a test wants one
    std::uint16_t level_ = 1;           // of both features; 3 and more is over the model's limit
    std::string factory_envelope_;
    std::string factory_tflite_;
    std::optional<Node> node_;
    std::size_t looked_ = 0;
};

}  // namespace stator::node
