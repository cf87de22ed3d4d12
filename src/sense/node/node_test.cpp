#include "sense/node/node_fixture_test.h"

#include <cmath>
#include <numbers>

namespace stator::node {
namespace {

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

// Each kind, of a slow and of a waveform channel, and its end; the machine is not what is wrong.
TEST_F(NodeTest, EveryKindOfSensorFaultIsToldByItsNameAndTheEndOfItToo) {
    asset_.channels[0].sampling = asset::Sampling::waveform;
    asset_.channels[1].plausible_max = 500.0F;
    asset_.channels[1].stuck_after_s = 3;
    std::uint32_t noise = 1;
    const auto fine = [&noise](std::size_t channel, std::span<std::uint16_t> counts) {
        for (std::uint16_t& count : counts) {
            noise = noise * 1'664'525U + 1'013'904'223U;
            count = static_cast<std::uint16_t>(1'001 + (channel == 0 ? noise >> 31U : 0));
        }
        counts[0] = static_cast<std::uint16_t>(1'001 + (noise >> 31U));
    };
    machine_.adc.make = fine;
    offer({.bias = -50.0F});
    order(first_name);
    run(3'000);
    ASSERT_EQ(node_->status().model, first_name);
    const auto said = [&](std::size_t channel, auto&& make, int milliseconds) {
        machine_.adc.make = [&](std::size_t asked, std::span<std::uint16_t> counts) {
            fine(asked, counts);
            if (asked == channel) make(counts);
        };
        run(milliseconds);
        machine_.adc.make = fine;
        run(300);
        std::string all;
        for (; looked_ < machine_.link.sent.size(); ++looked_) {
            const auto event = wire::decode_event(machine_.link.sent[looked_].payload);
            const auto* sensor = event ? std::get_if<wire::SensorEvent>(&event->what) : nullptr;
            if (sensor == nullptr) continue;
            all += std::string{sensor->channel.view()} + ' ';
            all += std::string{wire::name_of(sensor->fault)} + ' ';
        }
        return all;
    };
    const auto fill = [](std::uint16_t value) {
        return [value](std::span<std::uint16_t> counts) { std::ranges::fill(counts, value); };
    };
    const auto every_other = [](std::uint16_t value) {
        return [value](std::span<std::uint16_t> counts) {
            for (std::size_t i = 0; i < counts.size(); i += 2)
                counts[i] = value;
        };
    };
    static_cast<void>(said(0, [](auto) {}, 10));
    EXPECT_EQ(said(0, fill(1'234), 300), "vibration stuck vibration none ");
    EXPECT_EQ(said(0, every_other(4'095), 300), "vibration saturated vibration none ");
    EXPECT_EQ(said(0, fill(0), 300), "vibration disconnected vibration none ");
    EXPECT_EQ(said(0, every_other(3'000), 300), "vibration noisy vibration none ");
    EXPECT_EQ(said(1, fill(1'234), 2'900), "");  // a value that rests, so far
    EXPECT_EQ(said(1, fill(1'234), 3'300), "temperature stuck temperature none ");
    EXPECT_EQ(said(1, every_other(4'095), 300), "temperature saturated temperature none ");
    EXPECT_EQ(said(1, fill(4'095), 300), "temperature disconnected temperature none ");
    EXPECT_EQ(said(1, every_other(3'000), 300), "temperature noisy temperature none ");
    EXPECT_EQ(said(1, fill(1'600), 300), "temperature implausible temperature none ");
    EXPECT_FALSE(node_->status().alarm);
    EXPECT_EQ(told("action"), "");
}

TEST_F(NodeTest, ARestartForgetsNeitherTheStartsOfTheLastHourNorALockOut) {
    asset_.interlock.starts_per_hour = 2;
    asset_.interlock.min_on_ms = 0;
    run(1'000);
    const auto command = [&](const std::string& word) {
        machine_.link.deliver(
            "stator/devices/7/command", R"({"command":")" + word + R"(","payload":"c"})"
        );
        run(300);
    };
    command("backup-on");
    EXPECT_TRUE(machine_.actuators.pump);
    command("backup-off");
    boot();
    run(300);
    command("backup-on");
    EXPECT_TRUE(machine_.actuators.pump);
    command("backup-off");
    static_cast<void>(told("action"));
    boot();
    run(300);
    command("backup-on");
    EXPECT_FALSE(machine_.actuators.pump);
    EXPECT_EQ(told("action"), "refused/starts per hour");
    command("lock-out");
    boot();
    machine_.time.now_us += 3'600'000'000;
    run(300);
    command("backup-on");
    EXPECT_EQ(told("action"), "refused/locked out");
    command("unlock");
    boot();
    run(300);
    command("backup-on");
    EXPECT_TRUE(machine_.actuators.pump);
    static_cast<void>(told("action"));
}

// 0.3 g at 160 Hz are 2.1 mm/s.
TEST_F(NodeTest, TheVibrationsZoneIsThatOfTheLastReading) {
    asset::Channel shaft = channel("shaft");
    shaft.sampling = asset::Sampling::waveform;
    shaft.calibration = {.zero_counts = 2'048.0F, .unit_per_count = 0.001F};
    ASSERT_TRUE(asset_.channels.push_back(shaft));
    ASSERT_TRUE(asset_.features.push_back({2, asset::Statistic::velocity_rms}));
    double amplitude_g = 0.3;
    machine_.adc.make = [&](std::size_t index, std::span<std::uint16_t> counts) {
        for (std::size_t i = 0; i < counts.size(); ++i) {
            constexpr double turn = 2.0 * std::numbers::pi * 160.0 / signal::sampling_rate_hz;
            const double wave = index == 2 ? std::sin(turn * static_cast<double>(i)) : 0.0;
            counts[i] = static_cast<std::uint16_t>(2'048.0 + 1'000.0 * amplitude_g * wave);
        }
    };
    EXPECT_EQ((run(0), node_->status().vibration.zone), signal::Zone::none);
    run(1'000);
    EXPECT_EQ(node_->status().vibration.zone, signal::Zone::c);
    EXPECT_NEAR(node_->status().vibration.velocity_mm_per_s, 2.07F, 0.05F);
    amplitude_g = 0.05;
    run(200);
    EXPECT_EQ(node_->status().vibration.zone, signal::Zone::a);
    machine_.adc.make = nullptr;  // the converter is gone
    run(200);
    EXPECT_EQ(node_->status().vibration.zone, signal::Zone::none);
}

TEST_F(NodeTest, ABootThatCannotBeCountedPublishesNothing) {
    machine_.flash.off = true;
    run(3'000);
    EXPECT_TRUE(machine_.link.sent.empty());
    EXPECT_GT(machine_.watchdog.fed, 200);
}

}  // namespace
}  // namespace stator::node
