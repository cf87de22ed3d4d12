#include "sense/node/node.h"

#include "learn/quantise/tflite_writer.h"
#include "sense/node/fake_hal_test.h"
#include "shared/bundle/compose.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace stator::node {
namespace {

constexpr const char* first_name = "2026-11-23-03:00:00-model.tflite";
constexpr const char* second_name = "2026-11-23-04:00:00-model.tflite";

// LOGISTIC(x0 + x1 + bias): over 0.5 as soon as the two features outweigh the bias.
std::string make_tflite(float bias) {
    using quantise::OperatorSpec;
    using quantise::TensorSpec;
    const auto real = [](std::vector<std::int32_t> shape, const std::vector<float>& data) {
        TensorSpec spec{.name = "t", .shape = std::move(shape)};
        spec.data.assign(reinterpret_cast<const char*>(data.data()), data.size() * sizeof(float));
        return spec;
    };
    quantise::TfliteWriter writer;
    const auto in = writer.add(real({1, 2}, {}));
    const auto weights = writer.add(real({1, 2}, {1.0F, 1.0F}));
    const auto offset = writer.add(real({1}, {bias}));
    const auto sum = writer.add(real({1, 1}, {}));
    const auto out = writer.add(real({1, 1}, {}));
    writer.add(OperatorSpec{
        .op = tinyml::Op::fully_connected, .inputs = {in, weights, offset}, .outputs = {sum}
    });
    writer.add(OperatorSpec{.op = tinyml::Op::logistic, .inputs = {sum}, .outputs = {out}});
    return writer.finish(in, out, "test");
}

struct Draft {
    std::string name = first_name;
    std::string device_class = "motor";
    int level = 1;
    int release = 1;
    float bias = -5.0F;
    float golden_shift = 0.0F;  // of what the golden sequence should give
};

asset::Channel channel(const char* name) {  // one unit a count, zero at 1000
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
        config_.interlock.min_off_ms = 100;
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
    std::uint16_t level_ = 1;  // of both features; 3 and more is over the model's limit
    std::optional<Node> node_;
    std::size_t looked_ = 0;
};

TEST_F(NodeTest, NothingIsMeasuredOrPublishedBeforeTheRegistrySaysTrue) {
    machine_.fetch.active = false;
    run(5'000);
    EXPECT_TRUE(machine_.link.sent.empty());
    EXPECT_EQ(node_->status().readings, 0U);
    EXPECT_GT(machine_.watchdog.fed, 400);
    machine_.fetch.active = true;
    run(20'000);
    EXPECT_GT(node_->status().readings, 10U);
    EXPECT_FALSE(machine_.link.sent.empty());
}

TEST_F(NodeTest, SeqIsGaplessOverEverythingThatIsSent) {
    offer({});
    order(first_name);
    run(3'000);
    level_ = 5;
    run(3'000);
    const auto all = seqs();
    ASSERT_GT(all.size(), 50U);
    for (std::size_t i = 0; i < all.size(); ++i)
        EXPECT_EQ(all[i], i + 1);
    EXPECT_EQ(node_->status().boot, 1U);
}

TEST_F(NodeTest, AfterALostConnectionWhatIsNotStoredGoesAgainWithItsOriginalTime) {
    run(1'000);
    const auto before = machine_.link.sent;
    ASSERT_GT(before.size(), 6U);
    mark(5);
    run(20);
    machine_.link.lose();
    run(2'000);
    machine_.link.sent.clear();
    machine_.link.connect();
    run(1'000);
    const auto all = seqs();
    ASSERT_GT(all.size(), 20U);
    for (std::size_t i = 0; i < all.size(); ++i)
        EXPECT_EQ(all[i], i + 6);
    EXPECT_EQ(machine_.link.sent[0].payload, before[5].payload);
}

TEST_F(NodeTest, WhatTheRingCannotHoldIsDeclaredAsAGap) {
    run(500);
    const std::uint64_t stored = machine_.link.sent.size();
    mark(stored);
    run(20);
    machine_.link.lose();
    run(10'000);
    EXPECT_GT(node_->status().shed, 30U);
    machine_.link.sent.clear();
    machine_.link.connect();
    run(200);
    std::uint64_t last = 0;
    for (int i = 0; i < 20; ++i) {
        last = *wire::decode_head(machine_.link.sent.back().payload)->seq;
        mark(last);
        run(100);
    }
    std::vector<std::uint64_t> missing;
    std::uint64_t expected = stored + 1;
    std::vector<wire::GapEvent> gaps;
    std::uint64_t declared = 0;
    for (const auto& sent : machine_.link.sent) {
        const auto seq = *wire::decode_head(sent.payload)->seq;
        for (; expected < seq; ++expected)
            missing.push_back(expected);
        expected = std::max(expected, seq + 1);
        const auto event = wire::decode_event(sent.payload);
        if (event && std::holds_alternative<wire::GapEvent>(event->what))
            gaps.push_back(std::get<wire::GapEvent>(event->what));
    }
    for (const auto& gap : gaps)
        declared += gap.to - gap.from + 1;
    EXPECT_EQ(declared, node_->status().shed);
    EXPECT_GT(missing.size(), 30U);
    EXPECT_LE(missing.size(), declared);  // some had been sent, but were not marked stored
    for (const auto seq : missing)
        EXPECT_TRUE(std::ranges::any_of(gaps, [&](const auto& gap) {
            return gap.from <= seq && seq <= gap.to;
        })) << seq;
}

TEST_F(NodeTest, AModelComesIsTriedAndConfirmedWithoutARestart) {
    offer({});
    order(first_name);
    run(4'000);
    EXPECT_EQ(told("model"), "downloading downloaded trial confirmed");
    EXPECT_EQ(node_->status().model, first_name);
    EXPECT_EQ(node_->status().release, 1U);
    offer({.name = second_name, .release = 2, .bias = -50.0F});
    order(second_name);
    run(4'000);
    EXPECT_EQ(told("model"), "downloading downloaded trial confirmed");
    EXPECT_EQ(node_->status().model, second_name);
    boot();  // the confirmed slot is found and verified again
    EXPECT_EQ(node_->status().model, second_name);
    EXPECT_EQ(node_->status().boot, 2U);
    order(second_name);
    run(500);
    EXPECT_EQ(told("model"), "confirmed");  // told again, answered again, nothing fetched
}

TEST_F(NodeTest, EveryBadModelIsRefusedWithItsReasonAndTheOldOneRunsOn) {
    offer({});
    order(first_name);
    run(4'000);
    ASSERT_EQ(told("model"), "downloading downloaded trial confirmed");
    const auto refused = [&](const std::string& reason) {
        order(second_name);
        run(10'000);
        const std::string all = told("model");
        EXPECT_NE(all.find("refused/" + reason), std::string::npos) << all;
        EXPECT_EQ(node_->status().model, first_name);
        EXPECT_EQ(node_->status().update, UpdateState::idle);
    };
    const Draft good{.name = second_name, .release = 2};
    auto& manifest = machine_.fetch.files["/manifest/" + good.name];
    auto& tflite = machine_.fetch.files["/quantized/" + good.name];
    offer(good);
    manifest[3] = manifest[3] == '0' ? '1' : '0';
    refused("the signature does not verify");
    offer({.name = second_name, .release = 1});
    refused("its release does not rise");
    offer(good);
    tflite[tflite.size() / 2] = static_cast<char>(tflite[tflite.size() / 2] ^ 1);
    refused("the file's hash is not its manifest's");
    offer(good);
    tflite.pop_back();
    refused("its size is not what the manifest says");
    offer({.name = second_name, .release = 2, .golden_shift = 0.1F});
    refused("its golden sequence gives another result here");
    offer(good);
    manifest.resize(100);
    refused("the manifest's envelope cannot be read");
    offer(good);
    manifest += std::string(5000, ' ');
    refused("the manifest is larger than this device can hold");
    offer(good);
    machine_.fetch.files.erase("/quantized/" + good.name);
    refused("the registry does not have it");
    offer(good);
    machine_.fetch.fails = 8;
    refused("the download broke off too often");
    offer(good);
    order(second_name);
    run(4'000);
    EXPECT_EQ(node_->status().model, second_name);
}

TEST_F(NodeTest, AModelForAnotherClassOrLevelIsIgnoredInSilence) {
    offer({.device_class = "lathe"});
    order(first_name);
    run(2'000);
    offer({.level = 2});
    order(first_name);
    run(2'000);
    EXPECT_EQ(told("model"), "");
    EXPECT_EQ(machine_.flash.operations, 2U);  // the boot, the activation
}

TEST_F(NodeTest, ADownloadGoesOnWhereItBrokeOff) {
    config_.chunk_bytes = 64;
    offer({});
    machine_.fetch.patience = 1;
    order(first_name);
    run(300);
    machine_.fetch.fails = 3;
    run(6'000);
    EXPECT_EQ(told("model"), "downloading downloaded trial confirmed");
    EXPECT_EQ(
        machine_.fetch.bytes_served,
        machine_.fetch.files.begin()->second.size() + machine_.fetch.files.rbegin()->second.size()
    );
}

TEST_F(NodeTest, ATrialThatTheSiteNeverAcknowledgesEndsWithTheOldModel) {
    config_.trial_ms_max = 2'000;
    offer({});
    order(first_name);
    run(4'000);
    static_cast<void>(told("model"));
    offer({.name = second_name, .release = 2});
    machine_.link.acknowledges = false;
    machine_.link.window = 10'000;
    order(second_name);
    run(3'500);
    EXPECT_EQ(node_->status().model, first_name);
    machine_.link.lose();
    machine_.link.acknowledges = true;
    machine_.link.connect();
    run(2'000);
    EXPECT_NE(told("model").find("refused/its trial ran out of time"), std::string::npos);
}

// The sweep of issue C: the power goes at every flash operation of an update, before, inside and
// after its bytes. What boots is a whole model, never one of an older release.
TEST_F(NodeTest, APowerCutAtAnyFlashOperationOfAnUpdateLeavesAValidModel) {
    offer({});
    order(first_name);
    run(4'000);
    ASSERT_EQ(node_->status().model, first_name);
    offer({.name = second_name, .release = 2});
    const auto flash_before = machine_.flash.bytes;
    const auto operations_before = machine_.flash.operations;
    order(second_name);
    run(4'000);
    ASSERT_EQ(node_->status().model, second_name);
    const auto operations = machine_.flash.operations - operations_before;
    int cuts = 0;
    int old_models = 0;
    for (std::uint64_t cut = 0; cut < operations + 1; ++cut) {
        for (const std::size_t torn : {0, 1, 4, 16, 28, 31, 32, 2'000, 100'000}) {
            machine_.flash.restart();
            machine_.flash.bytes = flash_before;
            boot();
            run(100);
            machine_.flash.cut_power_at(machine_.flash.operations + cut, torn);
            order(second_name);
            run(4'000);
            cuts += machine_.flash.off ? 1 : 0;
            machine_.flash.restart();
            boot();
            const auto status = node_->status();
            const bool old_model = status.model == first_name && status.release == 1;
            const bool new_model = status.model == second_name && status.release == 2;
            ASSERT_TRUE(old_model || new_model) << cut << ' ' << torn << ' ' << status.model;
            old_models += old_model ? 1 : 0;
            order(second_name);
            run(4'000);
            ASSERT_EQ(node_->status().model, second_name) << cut << ' ' << torn;
        }
    }
    EXPECT_EQ(cuts, static_cast<int>(operations) * 9);
    EXPECT_GT(old_models, 50);
    RecordProperty("cut_points", cuts);
    std::printf(
        "%llu flash operations, %d cuts\n", static_cast<unsigned long long>(operations), cuts
    );
}

TEST_F(NodeTest, AnAlarmIsToldOnceASecondActsIsClosedByItsEffectAndCleared) {
    config_.valve_ms_per_degree = 1;
    offer({});
    order(first_name);
    run(3'000);
    const auto count = [&](std::string_view topic) {
        return std::ranges::count(machine_.link.sent, topic, &fake::Sent::topic);
    };
    EXPECT_EQ(count("motor-anomaly-level1-inference"), 0);
    EXPECT_FALSE(machine_.actuators.pump);
    level_ = 5;
    run(5'500);
    EXPECT_TRUE(node_->status().alarm);
    EXPECT_TRUE(machine_.actuators.pump);
    EXPECT_EQ(machine_.actuators.valve.back(), 180);
    EXPECT_GE(count("motor-anomaly-level1-inference"), 5);
    EXPECT_LE(count("motor-anomaly-level1-inference"), 7);
    EXPECT_EQ(told("action"), "accepted sent acknowledged effect-observed");
    level_ = 1;
    run(1'000);
    EXPECT_FALSE(machine_.actuators.pump);
    EXPECT_EQ(told("action"), "released/nobody asks for it any more");
    const auto last = std::ranges::find(
        machine_.link.sent.rbegin(),
        machine_.link.sent.rend(),
        "motor-anomaly-level1-inference",
        &fake::Sent::topic
    );
    const auto cleared = wire::decode_telemetry(last->payload);
    ASSERT_TRUE(cleared);
    EXPECT_EQ(cleared->event.view(), "cleared");
    EXPECT_FALSE(cleared->alarm);
}

TEST_F(NodeTest, ItActsWithTheNetworkDownAndTellsAfterwards) {
    offer({});
    order(first_name);
    run(3'000);
    machine_.link.lose();
    level_ = 5;
    run(1'000);
    EXPECT_TRUE(machine_.actuators.pump);
    machine_.link.connect();
    run(1'000);
    EXPECT_NE(told("action").find("accepted sent"), std::string::npos);
}

TEST_F(NodeTest, InObserveModeAnAlarmIsToldAndNothingMoves) {
    asset_.mode = asset::Mode::observe;
    offer({});
    order(first_name);
    run(3'000);
    level_ = 5;
    run(3'000);
    EXPECT_TRUE(node_->status().alarm);
    EXPECT_EQ(told("action"), "refused/observe");
    EXPECT_FALSE(machine_.actuators.pump);
    EXPECT_EQ(machine_.actuators.valve, (std::vector<int>{0}));
}

TEST_F(NodeTest, AnImminentAlertActsAndOneAboutAnotherDeviceOrABroadcastDoesNot) {
    run(1'000);
    const auto alert = [&](const std::string& device, const std::string& severity) {
        machine_.link.deliver(
            "motor-failure-alert-level2-inference",
            R"({"deviceID":")" + device + R"(","timeStamp":")" +
                std::to_string(machine_.time.unix_ms()) + R"(","inference":0.9,"severity":")" +
                severity + "\"}"
        );
        run(200);
    };
    alert("8", "imminent");
    alert("7", "potential");
    machine_.link.deliver("control-message", R"({"command":"backup-on","payload":"c"})");
    run(200);
    EXPECT_FALSE(machine_.actuators.pump);
    alert("7", "imminent");
    EXPECT_TRUE(machine_.actuators.pump);
    run(5'000);
    alert("7", "none");
    EXPECT_FALSE(machine_.actuators.pump);
}

TEST_F(NodeTest, ASensorFaultIsToldOnceAndIsNoMachineFault) {
    offer({});
    order(first_name);
    run(3'000);
    const auto make = machine_.adc.make;
    machine_.adc.make = nullptr;
    run(2'000);
    EXPECT_FALSE(node_->status().alarm);
    int faults = 0;
    for (const auto& sent : machine_.link.sent)
        faults += sent.payload.find(R"("fault":"disconnected")") != std::string::npos ? 1 : 0;
    EXPECT_EQ(faults, 2);  // one a channel
    const auto last = std::ranges::find(
        machine_.link.sent.rbegin(),
        machine_.link.sent.rend(),
        "shaded-pole-motor-sensor_data",
        &fake::Sent::topic
    );
    EXPECT_EQ(last->payload.find("\"vibration\""), std::string::npos);  // missing, not zero
    machine_.adc.make = make;
    run(500);
    EXPECT_NE(machine_.link.sent.back().payload.find("\"vibration\":1"), std::string::npos);
}

TEST_F(NodeTest, ABootThatCannotBeCountedPublishesNothing) {
    machine_.flash.off = true;
    run(3'000);
    EXPECT_TRUE(machine_.link.sent.empty());
    EXPECT_GT(machine_.watchdog.fed, 200);
}

}  // namespace
}  // namespace stator::node
