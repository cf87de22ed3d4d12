#include "sense/edge/edge.h"

#include "sense/edge/no_machine.h"
#include "sense/node/node_fixture_test.h"

#include <gmock/gmock.h>

namespace stator::edge {
namespace {

using node::Draft;
using node::first_name;
using node::second_name;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* data = "shaded-pole-motor-sensor_data";
constexpr const char* alerts = "motor-failure-alert-level2-inference";

// Level 2 on a board of memory: its models say LOGISTIC(vibration + temperature - 5).
class EdgeTest : public node::NodeTest {
  protected:
    EdgeTest() {
        asset_.device = "level2-2";
        config_ = level2_config();
        config_.stored_wait_ms = 50;
        devices_ = {{.device = "7"}, {.device = "8", .severity_imminent = 0.6F}};
    }

    void boot() {
        machine_.time.now_us += 1'000'000;
        machine_.link.lose();
        machine_.link.connect();
        hal::Hal hal{
            machine_none_,
            machine_none_,
            machine_.flash,
            machine_.link,
            machine_.fetch,
            machine_.time,
            machine_.entropy,
            machine_.watchdog,
            machine_.log,
            machine_.verifier,
            &machine_.firmware,
            &alarms_,
        };
        edge_.emplace(
            hal,
            asset_,
            devices_,
            config_,
            Memory{
                .watched = watched_,
                .alerts = readings_,
                .events = events_,
                .arenas = {std::span{arena_[0]}, std::span{arena_[1]}},
                .envelope = envelope_,
            }
        );
    }

    void run(int milliseconds = 500) {
        if (!edge_) boot();
        for (int i = 0; i < milliseconds; i += 10) {
            machine_.time.now_us += 10'000;
            edge_->step();
        }
    }

    void announce(const std::string& name) {
        machine_.link.deliver(
            "control-message", R"({"command":"download-model","payload":")" + name + "\"}"
        );
    }

    // It runs a model of level 2.
    void begin() {
        offer({.level = 2});
        announce(first_name);
        run();
        ASSERT_EQ(edge_->status().model, first_name);
    }

    // Reading `seq` of a device, a second of its time after the one before.
    void read(const std::string& device, std::uint64_t seq, float value, std::uint32_t boot = 1) {
        wire::Telemetry made;
        made.device = std::string_view{device};
        made.boot = boot;
        made.seq = seq;
        made.time_unix_ms = 1'700'000'000'000 + 1000 * static_cast<std::int64_t>(seq);
        EXPECT_TRUE(made.channels.push_back({.name = "vibration", .value = value}));
        EXPECT_TRUE(made.channels.push_back({.name = "temperature", .value = value}));
        std::array<char, wire::message_bytes_max> buffer{};
        machine_.link.deliver(data, std::string{*wire::encode(made, buffer)});
    }

    void read_all(const std::string& device, std::uint64_t from, std::uint64_t to, float value) {
        for (std::uint64_t seq = from; seq <= to; ++seq)
            read(device, seq, value);
        run(200);
    }

    std::vector<wire::Alert> alerts_sent() {
        std::vector<wire::Alert> made;
        for (const auto& sent : machine_.link.sent) {
            if (sent.topic != alerts) continue;
            const auto alert = wire::decode_alert(sent.payload);
            EXPECT_TRUE(alert) << sent.payload;
            made.push_back(*alert);
        }
        return made;
    }

    // "device:seconds:on" of each alert so far.
    std::vector<std::string> told_of_alarms() {
        std::vector<std::string> made;
        for (const wire::Alert& alert : alerts_sent())
            made.push_back(
                std::string{alert.device.view()} + ':' +
                std::to_string((alert.time_unix_ms - 1'700'000'000'000) / 1000) +
                (alert.alarm ? ":on" : ":off")
            );
        return made;
    }

    NoMachine machine_none_;
    fake::Flash alarms_{2};
    std::vector<factory::Assigned> devices_;
    std::array<Watched, 2> watched_{};
    std::optional<Edge> edge_;
};

TEST_F(EdgeTest, hears_what_devices_measure_and_what_is_said_to_it) {
    run(10);
    EXPECT_THAT(
        machine_.link.topics,
        ElementsAre(
            data,
            "control-message",
            "stator/devices/level2-2/command",
            "stator/devices/level2-2/stored"
        )
    );
}

TEST_F(EdgeTest, takes_the_model_of_level_2_and_passes_over_that_of_level_1) {
    offer({.level = 2});
    offer({.name = second_name, .level = 1, .release = 9});
    announce(second_name);
    announce(first_name);
    run();
    EXPECT_EQ(edge_->status().model, first_name);
    EXPECT_EQ(told("model"), "downloading downloaded trial confirmed");
    machine_.fetch.started = 0;
    announce(second_name);
    run();
    EXPECT_EQ(edge_->status().model, first_name);
    EXPECT_EQ(told("model"), "");
    EXPECT_EQ(machine_.fetch.started, 1) << "its manifest says whom it is for";
}

TEST_F(EdgeTest, takes_its_own_model_of_many_that_are_announced_at_once) {
    offer({.level = 2});
    offer({.name = second_name, .level = 1});
    offer({.name = "2026-11-23-05:00:00-model.tflite", .device_class = "fan", .level = 2});
    announce(first_name);
    announce(second_name);
    announce("2026-11-23-05:00:00-model.tflite");
    run();
    EXPECT_EQ(edge_->status().model, first_name);
}

TEST_F(EdgeTest, raises_repeats_and_ends_an_alarm_about_the_device_that_is_in_it) {
    begin();
    read_all("7", 1, 3, 1.0F);
    read_all("8", 1, 3, 1.0F);
    EXPECT_THAT(told_of_alarms(), IsEmpty());
    read_all("7", 4, 8, 3.0F);
    read_all("8", 4, 8, 1.0F);
    read_all("7", 9, 14, 1.0F);
    EXPECT_THAT(
        told_of_alarms(), ElementsAre("7:6:on", "7:7:on", "7:8:on", "7:9:on", "7:10:on", "7:11:off")
    );
    const wire::Alert first = alerts_sent().front();
    EXPECT_EQ(first.source.view(), "level2-2");
    EXPECT_EQ(first.model.view(), first_name);
    EXPECT_EQ(first.boot, 1U);
    EXPECT_EQ(first.severity, wire::Severity::potential);
    EXPECT_EQ(wire::find(first.contributions, "vibration"), 0.5F);
    EXPECT_EQ(wire::find(first.contributions, "temperature"), 0.5F);
    EXPECT_EQ(edge_->status().alarmed, 0U);
}

TEST_F(EdgeTest, has_each_devices_own_bands_of_severity) {
    begin();
    read_all("8", 1, 3, 3.0F);
    ASSERT_EQ(alerts_sent().size(), 1U);
    EXPECT_EQ(alerts_sent()[0].severity, wire::Severity::imminent);
}

TEST_F(EdgeTest, comes_to_the_verdicts_that_the_fold_gives_alone) {
    begin();
    detect::State alone;
    const std::string tflite = node::make_tflite(-5.0F);
    std::vector<std::byte> arena(4096);
    tinyml::Reason reason;
    const auto bytes = std::as_bytes(std::span{tflite});
    auto model = tinyml::Model::load(bytes, arena, reason);
    ASSERT_TRUE(model) << reason.view();
    const bundle::Manifest manifest = manifest_of({.level = 2}, bytes);
    std::vector<float> right;
    for (std::uint64_t seq = 1; seq <= 40; ++seq) {
        const float value = 2.4F + 0.01F * static_cast<float>(seq);
        read("7", seq, value);
        const std::array<float, 2> features{value, value};
        const auto verdict = detect::step(alone, features, manifest.fold, *model);
        if (verdict.alarm) right.push_back(verdict.value);
    }
    run(1'000);
    std::vector<float> told;
    for (const wire::Alert& alert : alerts_sent())
        told.push_back(alert.inference);
    EXPECT_EQ(told, right);
    EXPECT_GT(told.size(), 20U);
}

TEST_F(EdgeTest, judges_no_reading_twice_and_none_of_strangers) {
    begin();
    for (const std::uint64_t seq : {1U, 2U, 2U, 1U, 3U})
        read("7", seq, 1.0F);
    read("9", 1, 9.0F);
    machine_.link.deliver(data, "no JSON");
    machine_.link.deliver(data, R"({"deviceID":"8","boot":1,"seq":1,"vibration":9})");
    run();
    const Status status = edge_->status();
    EXPECT_EQ(status.judged, 3U);
    EXPECT_EQ(status.known, 2U);
    EXPECT_EQ(status.strange, 2U);
    EXPECT_EQ(status.incomplete, 1U);
    EXPECT_THAT(told_of_alarms(), IsEmpty());
}

TEST_F(EdgeTest, without_a_model_judges_nothing) {
    read_all("7", 1, 9, 9.0F);
    EXPECT_EQ(edge_->status().unjudged, 9U);
    EXPECT_THAT(told_of_alarms(), IsEmpty());
}

TEST_F(EdgeTest, withdraws_the_old_models_alarm_when_another_judges) {
    begin();
    read_all("7", 1, 4, 3.0F);
    ASSERT_EQ(edge_->status().alarmed, 1U);
    offer({.name = second_name, .level = 2, .release = 2, .bias = -50.0F});
    announce(second_name);
    run();
    ASSERT_EQ(edge_->status().model, second_name);
    const wire::Alert last = alerts_sent().back();
    EXPECT_FALSE(last.alarm);
    EXPECT_EQ(last.model.view(), first_name);
    EXPECT_EQ(edge_->status().alarmed, 0U);
    read_all("7", 5, 9, 3.0F);
    EXPECT_FALSE(alerts_sent().back().alarm);
}

TEST_F(EdgeTest, a_refused_model_leaves_the_old_one_with_its_folds) {
    begin();
    read_all("7", 1, 2, 3.0F);
    offer({.name = second_name, .level = 2, .release = 2, .golden_shift = 0.1F});
    announce(second_name);
    run();
    EXPECT_EQ(edge_->status().model, first_name);
    EXPECT_THAT(told("model"), HasSubstr("refused/its golden sequence gives another result here"));
    read_all("7", 3, 3, 3.0F);
    EXPECT_THAT(told_of_alarms(), ElementsAre("7:3:on"));
}

TEST_F(EdgeTest, a_registry_that_is_away_is_waited_for) {
    offer({.level = 2});
    machine_.fetch.fails = 50;
    announce(first_name);
    run(60'000);
    EXPECT_EQ(edge_->status().model, first_name);
}

TEST_F(EdgeTest, runs_its_model_again_after_a_restart_and_ends_the_alarm_that_it_raised) {
    begin();
    read_all("7", 1, 4, 3.0F);
    read_all("8", 1, 4, 1.0F);
    ASSERT_EQ(edge_->status().alarmed, 1U);
    boot();
    run();
    EXPECT_EQ(edge_->status().boot, 2U);
    EXPECT_EQ(edge_->status().model, first_name);
    EXPECT_EQ(edge_->status().alarmed, 1U);
    read_all("7", 5, 8, 1.0F);
    const wire::Alert last = alerts_sent().back();
    EXPECT_EQ(last.device.view(), "7");
    EXPECT_FALSE(last.alarm);
    EXPECT_EQ(last.boot, 2U);
    boot();
    run();
    EXPECT_EQ(edge_->status().alarmed, 0U) << "and does not remember it for ever";
}

TEST_F(EdgeTest, remembers_no_alarm_of_devices_that_it_does_not_judge_any_more) {
    begin();
    read_all("7", 1, 4, 3.0F);
    ASSERT_EQ(edge_->status().alarmed, 1U);
    devices_ = {{.device = "8"}, {.device = "9"}};
    boot();
    run();
    EXPECT_EQ(edge_->status().alarmed, 0U);
}

TEST_F(
    EdgeTest, an_alert_waits_until_the_site_has_stored_it_and_goes_again_over_a_lost_connection
) {
    begin();
    read_all("7", 1, 3, 3.0F);
    ASSERT_EQ(alerts_sent().size(), 1U);
    const std::uint64_t seq = alerts_sent()[0].seq;
    EXPECT_GT(edge_->status().waiting, 0U);
    machine_.link.lose();
    machine_.link.connect();
    run();
    ASSERT_EQ(alerts_sent().size(), 2U);
    EXPECT_EQ(alerts_sent()[1].seq, seq);
    machine_.link.deliver(
        "stator/devices/level2-2/stored", R"({"boot":1,"seq":)" + std::to_string(seq) + "}"
    );
    run();
    EXPECT_EQ(edge_->status().waiting, 0U);
}

TEST_F(EdgeTest, says_nothing_while_its_start_could_not_be_counted) {
    offer({.level = 2});
    machine_.flash.cut_power_at(0, 0);
    announce(first_name);
    read_all("7", 1, 9, 9.0F);
    EXPECT_THAT(machine_.link.sent, IsEmpty());
}

TEST_F(EdgeTest, feeds_the_watchdog_once_a_step) {
    run(100);
    EXPECT_EQ(machine_.watchdog.fed, 10);
}

}  // namespace
}  // namespace stator::edge
