#include "sense/node/actor.h"

#include "sense/node/activation.h"
#include "sense/node/fake_hal_test.h"

#include <gtest/gtest.h>

namespace stator::node {
namespace {

class ActorTest : public testing::Test {
  protected:
    ActorTest() : readings_(4), events_(64), outbox_{readings_, events_}, hal_{machine_.hal()} {
        asset_.mode = asset::Mode::act;
        asset_.effect_flow_min = 5.0F;
        asset_.effect_timeout_ms = 1'000;
        asset_.interlock = {
            .min_on_ms = 500,
            .min_off_ms = 500,
            .starts_per_hour = 3,
            .dead_man_ms = 20'000,
            .expiry_ms = 2'000
        };
    }

    Actor& actor() {
        if (!actor_) {
            actor_.emplace(hal_, asset_, config_, outbox_);
            actor_->start(now_us());
            run(1'000);
        }
        return *actor_;
    }

    std::int64_t now_us() { return machine_.time.now_us; }

    void run(int milliseconds) {
        for (int i = 0; i < milliseconds; i += 5) {
            machine_.time.now_us += 5'000;
            actor_->step(now_us());
        }
    }

    // What was told since the last call: "state/reason ...".
    std::string told() {
        std::string text;
        while (const auto item = outbox_.next()) {
            const auto& event = std::get<wire::ActionEvent>(item->event->body);
            if (!text.empty()) text += ' ';
            text += name_of(event.state);
            if (!event.reason.empty()) text += '/' + std::string{event.reason.view()};
            last_ = event;
            outbox_.forget(item->key);
        }
        return text;
    }

    fake::Machine machine_;
    asset::Asset asset_;
    Config config_;
    std::vector<WaitingReading> readings_;
    std::vector<WaitingDeviceEvent> events_;
    Outbox outbox_;
    hal::Hal hal_;
    std::optional<Actor> actor_;
    wire::ActionEvent last_;
};

TEST_F(ActorTest, AnActionIsClosedByTheFlowThatWasMeasured) {
    actor();
    EXPECT_FALSE(machine_.actuators.pump);
    EXPECT_EQ(machine_.actuators.valve.back(), 0);
    actor().ask(Asker::level1, "level 1", 0, now_us());
    EXPECT_EQ(told(), "accepted sent");
    EXPECT_TRUE(machine_.actuators.pump);
    run(3'500);
    EXPECT_EQ(told(), "");  // 175 degrees: not open yet
    run(200);
    EXPECT_EQ(told(), "acknowledged effect-observed");
    EXPECT_EQ(last_.valve_degrees, 180U);
    EXPECT_EQ(last_.flow_l_per_min, 12.0F);
    EXPECT_EQ(last_.command_id.view(), "level 1");
    actor().ask_no_more(Asker::level1, now_us());
    EXPECT_EQ(told(), "released/nobody asks for it any more");
    EXPECT_FALSE(machine_.actuators.pump);
    run(3'700);
    EXPECT_EQ(machine_.actuators.valve.back(), 0);
}

TEST_F(ActorTest, TheValveMovesOneDegreeInTwentyMilliseconds) {
    actor().ask(Asker::level1, "x", 0, now_us());
    const auto from = machine_.actuators.valve.size();
    run(1'000);
    EXPECT_EQ(machine_.actuators.valve.back(), 50);
    for (std::size_t i = from; i < machine_.actuators.valve.size(); ++i)
        EXPECT_LE(
            machine_.actuators.valve[i] - (i == from ? 0 : machine_.actuators.valve[i - 1]), 1
        );
}

TEST_F(ActorTest, ABlockedLineIsToldAsEffectNotObservedAndALateFlowStillCounts) {
    machine_.actuators.blocked = true;
    actor().ask(Asker::level1, "x", 0, now_us());
    run(4'500);
    EXPECT_EQ(told(), "accepted sent acknowledged");
    run(200);
    EXPECT_EQ(told(), "effect-not-observed/the backup flow stayed too low");
    EXPECT_EQ(last_.flow_l_per_min, 0.0F);
    machine_.actuators.blocked = false;
    run(10);
    EXPECT_EQ(told(), "effect-observed");
}

TEST_F(ActorTest, ABrokenMeterIsNotAnEffect) {
    machine_.actuators.meter_broken = true;
    actor().ask(Asker::level1, "x", 0, now_us());
    run(4'800);
    EXPECT_EQ(
        told(),
        "accepted sent acknowledged effect-not-observed/the backup flow meter does not answer"
    );
}

TEST_F(ActorTest, InObserveModeNothingEverMovesAndTheRefusalIsToldOnce) {
    asset_.mode = asset::Mode::observe;
    actor();
    const int orders = machine_.actuators.pump_orders;
    const auto moves = machine_.actuators.valve.size();
    for (int i = 0; i < 20; ++i) {
        actor().ask(Asker::level1, "x", 0, now_us());
        actor().ask(Asker::level2, "x", 0, now_us());
        run(100);
    }
    EXPECT_EQ(told(), "refused/observe");
    EXPECT_EQ(machine_.actuators.pump_orders, orders);
    EXPECT_EQ(machine_.actuators.valve.size(), moves);
}

TEST_F(ActorTest, ItRunsWhileAnybodyAsksAndStopsWithTheLast) {
    actor().ask(Asker::level1, "one", 0, now_us());
    actor().ask(Asker::level2, "two", 0, now_us());
    run(5'000);
    static_cast<void>(told());
    actor().ask_no_more(Asker::level1, now_us());
    EXPECT_EQ(told(), "");
    EXPECT_TRUE(machine_.actuators.pump);
    actor().ask_no_more(Asker::level2, now_us());
    EXPECT_FALSE(machine_.actuators.pump);
}

TEST_F(ActorTest, APersonsStopHoldsUntilTheAlarmHasEnded) {
    actor().ask(Asker::level1, "x", 0, now_us());
    run(100);
    actor().stop("backup-off", now_us());
    EXPECT_EQ(told(), "accepted sent released/backup-off");
    run(1'000);
    actor().ask(Asker::level1, "x", 0, now_us());
    EXPECT_EQ(told(), "");
    actor().alarm_ended();
    actor().ask(Asker::level1, "x", 0, now_us());
    EXPECT_EQ(told(), "accepted sent");
}

TEST_F(ActorTest, WithoutRenewalTheDeadManLetsGo) {
    actor().ask(Asker::person, "c1", 0, now_us());
    run(19'900);
    EXPECT_TRUE(machine_.actuators.pump);
    run(200);
    EXPECT_FALSE(machine_.actuators.pump);
    EXPECT_NE(told().find("released/dead man"), std::string::npos);
}

TEST_F(ActorTest, ALockOutStopsAndRefusesUntilItIsLifted) {
    actor().ask(Asker::level1, "x", 0, now_us());
    run(100);
    actor().lock_out(true, now_us());
    EXPECT_FALSE(machine_.actuators.pump);
    run(1'000);
    actor().ask(Asker::person, "c2", 0, now_us());
    EXPECT_EQ(told(), "accepted sent released/locked out refused/locked out");
    actor().lock_out(false, now_us());
    actor().ask(Asker::person, "c3", 0, now_us());
    EXPECT_EQ(told(), "accepted sent");
}

TEST_F(ActorTest, WhatMustNotRunAtTheSameTimeStopsItAndKeepsItFromStarting) {
    actor().ask(Asker::level1, "x", 0, now_us());
    run(100);
    machine_.actuators.contact = true;
    run(10);
    EXPECT_FALSE(machine_.actuators.pump);
    run(1'000);
    actor().ask(Asker::person, "c2", 0, now_us());
    EXPECT_EQ(told(), "accepted sent released/excluded refused/excluded");
    EXPECT_FALSE(machine_.actuators.pump);
    machine_.actuators.contact = false;
    actor().ask(Asker::person, "c3", 0, now_us());
    EXPECT_EQ(told(), "accepted sent");
}

TEST_F(ActorTest, AnOldAlertIsNoReasonToStart) {
    actor().ask(Asker::level2, "x", 2'001, now_us());
    EXPECT_EQ(told(), "refused/expired");
    EXPECT_FALSE(machine_.actuators.pump);
}

TEST(Activation, AsksWithGrowingPausesUntilItIsTrue) {
    fake::Machine machine;
    machine.fetch.active = false;
    hal::Hal hal = machine.hal();
    Config config;
    Activation activation{hal, config, "14333616", false};
    std::vector<std::int64_t> asked_us;
    for (int i = 0; i < 60'000; ++i) {
        machine.time.now_us += 10'000;
        const auto before = activation.asked_count();
        EXPECT_FALSE(activation.step(machine.time.now_us));
        if (activation.asked_count() != before) asked_us.push_back(machine.time.now_us);
    }
    EXPECT_EQ(machine.fetch.form, "device_id=14333616");
    EXPECT_FALSE(activation.active());
    ASSERT_GT(asked_us.size(), 10U);  // 600 s: doubling up to a minute
    ASSERT_LT(asked_us.size(), 35U);
    for (std::size_t i = 1; i < asked_us.size(); ++i) {
        const std::int64_t step_us = std::min<std::int64_t>(500'000LL << (i - 1), 60'000'000);
        EXPECT_GE(asked_us[i] - asked_us[i - 1], step_us / 2);
        EXPECT_LE(asked_us[i] - asked_us[i - 1], step_us + 50'000);
    }
    machine.fetch.active = true;
    bool news = false;
    for (int i = 0; i < 6'100 && !news; ++i) {
        machine.time.now_us += 10'000;
        news = activation.step(machine.time.now_us);
    }
    EXPECT_TRUE(news);
    EXPECT_TRUE(activation.active());
    EXPECT_FALSE(activation.busy());
}

TEST(Activation, NoAnswerKeepsWhatIsKnownAndFalseEndsIt) {
    fake::Machine machine;
    hal::Hal hal = machine.hal();
    Config config;
    Activation activation{hal, config, "14333616", true};
    machine.fetch.fails = 3;
    machine.fetch.active = false;
    EXPECT_TRUE(activation.active());
    bool news = false;
    while (machine.fetch.fails > 0) {
        machine.time.now_us += 10'000;
        news = activation.step(machine.time.now_us) || news;
        EXPECT_TRUE(activation.active());
    }
    for (int i = 0; i < 1'000 && !news; ++i) {
        machine.time.now_us += 10'000;
        news = activation.step(machine.time.now_us);
    }
    EXPECT_TRUE(news);
    EXPECT_FALSE(activation.active());
}

}  // namespace
}  // namespace stator::node
