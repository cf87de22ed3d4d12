#include "act/alarm/alarm.h"

#include "store/stream/tape.h"
#include "world/doors/simulated.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace stator::alarm {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

constexpr const char* pump = "14333616";

class AlarmTest : public testing::Test, protected doors::SimulatedDoors {
  protected:
    AlarmTest() { start(); }

    // A fresh process on the same database and stream.
    void start() {
        alarm.reset();
        asset::Asset motor = asset::shaded_pole_motor();
        motor.device = pump;
        auto made = Alarm::make(doors, tapes, metrics, {.file = "/alarms.db", .assets = {motor}});
        ASSERT_TRUE(made) << made.error().what;
        alarm = std::move(*made);
    }

    void step() {
        const auto done = alarm->step();
        ASSERT_TRUE(done) << done.error().what;
    }

    void put(stream::Tape& tape, std::string topic, std::string sender, std::string payload) {
        tape.put(std::move(topic), std::move(sender), std::move(payload), now_ms += 1000);
    }

    void level1(int seq, double value, bool alarm_on, int boot = 1) {
        put(alarm_tape,
            "motor-anomaly-level1-inference",
            pump,
            fmt::format(
                R"({{"deviceID":"{}","timeStamp":"{}","boot":{},"seq":{},"inference":{},)"
                R"("threshold":0.5,"alarm":{},"model":"m1"}})",
                pump,
                now_ms + 1000,
                boot,
                seq,
                value,
                alarm_on
            ));
    }

    void level2(int seq, double value, bool alarm_on, const std::string& more = "") {
        put(alarm_tape,
            "motor-failure-alert-level2-inference",
            "level2-1",
            fmt::format(
                R"({{"deviceID":"{}","timeStamp":"{}","inference":{},"severity":"potential",)"
                R"("threshold":0.5,"alarm":{},"model":"m2","contributions":{{"vibration":0.7}},)"
                R"("sourceID":"level2-1","boot":1,"seq":{}{}}})",
                pump,
                now_ms + 1000,
                value,
                alarm_on,
                seq,
                more
            ));
    }

    void event(const std::string& device, const std::string& members, int boot, int seq) {
        put(control_tape,
            "stator/devices/" + device + "/event",
            device,
            fmt::format(
                R"({{"deviceID":"{}","timeStamp":"{}","boot":{},"seq":{},{}}})",
                device,
                now_ms + 1000,
                boot,
                seq,
                members
            ));
    }

    void presence(const std::string& state) {
        put(control_tape,
            std::string{"stator/presence/"} + pump,
            "gate",
            fmt::format(
                R"({{"deviceID":"{}","timeStamp":"{}","state":"{}","reason":""}})",
                pump,
                now_ms + 1000,
                state
            ));
    }

    std::vector<alarms::Episode> episodes() {
        auto newest = alarm->store().newest(100);
        EXPECT_TRUE(newest);
        return std::vector<alarms::Episode>{newest->rbegin(), newest->rend()};
    }

    std::int64_t now_ms = 1'700'000'000'000;
    metrics::Metrics metrics;
    stream::Tapes tapes;
    stream::Tape& alarm_tape = tapes.of[log::Class::alarm];
    stream::Tape& control_tape = tapes.of[log::Class::control];
    std::unique_ptr<Alarm> alarm;
};

TEST_F(AlarmTest, WhatIsSuspectedAtThePeakIsKeptWithItsEvidence) {
    level2(1, 0.6, true, R"(,"suspected":"unclear")");
    step();
    EXPECT_EQ(episodes().front().suspected, "unclear");
    level2(2, 0.9, true, R"(,"suspected":"imbalance","evidence":"vibration_band_low up")");
    level2(3, 0.7, true, R"(,"suspected":"overload","evidence":"current up")");
    level2(4, 0.95, true, R"(,"suspected":"unclear")");
    level2(5, 0.1, false);
    step();
    start();
    const alarms::Episode ended = episodes().front();
    EXPECT_EQ(ended.suspected, "imbalance");
    EXPECT_EQ(ended.evidence, "vibration_band_low up");
    EXPECT_NE(ended.end_unix_ms, 0);
    EXPECT_THAT(alarm->episodes_json(), HasSubstr(R"("suspected":"imbalance")"));
}

TEST_F(AlarmTest, AnEpisodeIsRaisedKeepsItsPeakAndEnds) {
    level1(1, 0.6, true);
    level1(2, 0.9, true);
    level1(3, 0.7, true);
    step();
    ASSERT_THAT(episodes(), SizeIs(1));
    const alarms::Episode lasting = episodes().front();
    EXPECT_EQ(lasting.device, pump);
    EXPECT_EQ(lasting.level, 1);
    EXPECT_EQ(lasting.end_unix_ms, 0);
    EXPECT_NEAR(lasting.peak, 0.9, 1e-6);
    EXPECT_EQ(lasting.severity, "imminent");
    EXPECT_EQ(lasting.model, "m1");
    EXPECT_EQ(alarms::state_of(lasting), "active, unacknowledged");
    level1(4, 0.1, false);
    step();
    ASSERT_THAT(episodes(), SizeIs(1));
    EXPECT_EQ(episodes().front().end_unix_ms, lasting.start_unix_ms + 3000);
    EXPECT_NEAR(episodes().front().peak, 0.9, 1e-6) << "the end is not a peak";
    level1(5, 0.8, true);
    step();
    EXPECT_THAT(episodes(), SizeIs(2)) << "a new alarm is a new episode";
}

TEST_F(AlarmTest, TheLevelsHaveTheirOwnEpisodes) {
    level1(1, 0.9, true);
    level2(1, 0.6, true);
    level1(2, 0.1, false);
    step();
    ASSERT_THAT(episodes(), SizeIs(2));
    EXPECT_NE(episodes()[0].end_unix_ms, 0);
    EXPECT_EQ(episodes()[1].level, 2);
    EXPECT_EQ(episodes()[1].end_unix_ms, 0);
    EXPECT_EQ(episodes()[1].severity, "potential");
    EXPECT_NEAR(episodes()[1].contributions.at("vibration"), 0.7, 1e-6);
    EXPECT_THAT(alarm->episodes_json(), HasSubstr(R"("model":"m2")"));
}

TEST_F(AlarmTest, DuplicatesAndOldMessagesChangeNothing) {
    level1(1, 0.9, true);
    level1(2, 0.1, false);
    level1(1, 0.9, true);
    level1(2, 0.1, false);
    level1(7, 0.9, true, 0);  // of the boot before
    step();
    ASSERT_THAT(episodes(), SizeIs(1));
    EXPECT_NE(episodes().front().end_unix_ms, 0);
    EXPECT_EQ(metrics.get("stator_alarm_duplicates_total"), 3.0);
}

TEST_F(AlarmTest, ADeviceThatKnowsNoNumbersRaisesByItsValue) {
    const auto plain = [&](double value) {
        put(alarm_tape,
            "motor-anomaly-level1-inference",
            "legacy",
            fmt::format(R"({{"deviceID":"7","inference":{},"timeStamp":"1"}})", value));
    };
    plain(0.4);
    step();
    EXPECT_THAT(episodes(), SizeIs(0));
    plain(0.7);
    plain(0.8);
    step();
    EXPECT_THAT(episodes(), SizeIs(1));
}

TEST_F(AlarmTest, GarbageIsPassedOver) {
    put(alarm_tape, "motor-anomaly-level1-inference", pump, "{");
    put(alarm_tape, "something-else", pump, "{}");
    put(control_tape, "stator/devices/x/event", pump, "[]");
    put(control_tape, "stator/presence/x", pump, "nothing");
    step();
    EXPECT_THAT(episodes(), SizeIs(0));
    EXPECT_EQ(alarm_tape.committed, 2U);
    EXPECT_EQ(control_tape.committed, 2U);
}

TEST_F(AlarmTest, ADeviceThatStartsAgainEndsItsLevel1AlarmOnly) {
    level1(5, 0.9, true);
    level2(1, 0.9, true);
    step();
    event(pump, R"("event":"started","firmware":"0.1.0","model":"m1")", 2, 1);
    step();
    ASSERT_THAT(episodes(), SizeIs(2));
    EXPECT_NE(episodes()[0].end_unix_ms, 0);
    EXPECT_EQ(episodes()[0].note, "the device started again");
    EXPECT_EQ(episodes()[1].end_unix_ms, 0);
}

TEST_F(AlarmTest, AnAlarmRaisedSinceTheDeviceStartedOutlivesTheNewsOfTheStart) {
    event(pump, R"("event":"started","firmware":"0.1.0","model":"m1")", 2, 1);
    level1(2, 0.9, true, 2);  // of the other class: read before the event
    step();
    ASSERT_THAT(episodes(), SizeIs(1));
    EXPECT_EQ(episodes().front().end_unix_ms, 0);
}

TEST_F(AlarmTest, AModelThatTakesOverEndsItsLevelsAlarm) {
    const std::string confirmed =
        R"("event":"model","state":"confirmed","model":"m3","release":3,"reason":"")";
    level1(5, 0.9, true);
    level2(1, 0.9, true);
    step();
    event("level2-1", confirmed, 1, 2);
    step();
    EXPECT_EQ(episodes()[0].end_unix_ms, 0);
    EXPECT_NE(episodes()[1].end_unix_ms, 0);
    event(pump, R"("event":"model","state":"trial","model":"m3","release":3,"reason":"")", 1, 6);
    step();
    EXPECT_EQ(episodes()[0].end_unix_ms, 0) << "on trial it has not taken over";
    event(pump, confirmed, 1, 7);
    step();
    EXPECT_NE(episodes()[0].end_unix_ms, 0);
}

TEST_F(AlarmTest, ASilentDeviceIsAnAlarmUntilItIsBack) {
    presence("offline");
    presence("offline");
    step();
    ASSERT_THAT(episodes(), SizeIs(1));
    EXPECT_EQ(episodes().front().level, 0);
    EXPECT_EQ(episodes().front().end_unix_ms, 0);
    presence("online");
    step();
    ASSERT_THAT(episodes(), SizeIs(1));
    EXPECT_NE(episodes().front().end_unix_ms, 0);
}

// Missing, stuck and flat sensors are alarms of their own: what the machine does is another matter.
TEST_F(AlarmTest, BrokenSensorsAreOneAlarmOfTheirOwnUntilTheLastIsMended) {
    const auto sensor = [&](int seq, const char* channel, const char* fault, int boot = 1) {
        event(
            pump,
            fmt::format(R"("event":"sensor-fault","channel":"{}","fault":"{}")", channel, fault),
            boot,
            seq
        );
        step();
    };
    level1(1, 0.9, true);
    sensor(2, "vibration", "stuck");
    sensor(3, "temperature", "noisy");
    ASSERT_THAT(episodes(), SizeIs(2));
    EXPECT_EQ(episodes()[1].level, -1);
    EXPECT_EQ(episodes()[1].note, "sensor: vibration stuck, temperature noisy");
    EXPECT_EQ(episodes()[0].level, 1);
    EXPECT_EQ(episodes()[0].end_unix_ms, 0) << "the machine's alarm goes on";
    sensor(4, "vibration", "none");
    EXPECT_EQ(episodes()[1].end_unix_ms, 0);
    sensor(5, "temperature", "none");
    EXPECT_NE(episodes()[1].end_unix_ms, 0);
    sensor(2, "vibration", "stuck");  // said again after a lost connection
    ASSERT_THAT(episodes(), SizeIs(2));
    sensor(6, "sound", "disconnected");
    ASSERT_THAT(episodes(), SizeIs(3));
    event(pump, R"("event":"started","firmware":"","model":"")", 2, 1);
    step();
    EXPECT_NE(episodes()[2].end_unix_ms, 0);
    sensor(2, "sound", "disconnected", 2);  // it lasts: the device says so anew
    ASSERT_THAT(episodes(), SizeIs(4));
    EXPECT_EQ(episodes()[3].end_unix_ms, 0);
}

TEST_F(AlarmTest, AVerdictAcknowledgesAndOutlivesTheEpisode) {
    level1(1, 0.9, true);
    step();
    const std::int64_t id = episodes().front().id;
    ASSERT_TRUE(alarm->verdict(id, "false", "load change", "anna"));
    EXPECT_EQ(alarms::state_of(episodes().front()), "active, acknowledged");
    level1(2, 0.95, true);
    level1(3, 0.1, false);
    step();
    const alarms::Episode ended = episodes().front();
    EXPECT_EQ(ended.verdict, "false");
    EXPECT_EQ(ended.note, "load change");
    EXPECT_EQ(ended.who, "anna");
    EXPECT_EQ(alarms::state_of(ended), "normal");
    const auto unknown = alarm->verdict(99, "true", "", "anna");
    ASSERT_FALSE(unknown);
    EXPECT_THAT(unknown.error().what, HasSubstr("99"));
}

TEST_F(AlarmTest, KilledBetweenTransactionAndCommitItReadsAgainWithoutDoubling) {
    level1(1, 0.9, true);
    level1(2, 0.1, false);
    level1(3, 0.8, true);
    alarm_tape.dies_before_commit = true;
    EXPECT_FALSE(alarm->step());
    ASSERT_EQ(alarm_tape.committed, 0U);
    alarm_tape.dies_before_commit = false;
    start();
    step();
    EXPECT_EQ(alarm_tape.committed, 3U);
    ASSERT_THAT(episodes(), SizeIs(2));
    EXPECT_EQ(episodes()[1].end_unix_ms, 0);
}

TEST_F(AlarmTest, KilledBetweenTransactionAndCommitASilenceIsNotDoubled) {
    presence("offline");
    presence("online");
    control_tape.dies_before_commit = true;
    EXPECT_FALSE(alarm->step());
    control_tape.dies_before_commit = false;
    start();
    step();
    EXPECT_EQ(control_tape.committed, 2U);
    EXPECT_THAT(episodes(), SizeIs(1));
}

TEST_F(AlarmTest, KilledBetweenTransactionAndCommitADeviceWithoutNumbersIsNotRaisedTwice) {
    put(alarm_tape,
        "motor-anomaly-level1-inference",
        "legacy",
        R"({"deviceID":"7","inference":0.9,"timeStamp":"1"})");
    put(alarm_tape,
        "motor-anomaly-level1-inference",
        "legacy",
        R"({"deviceID":"7","inference":0.1,"alarm":false,"timeStamp":"2"})");
    alarm_tape.dies_before_commit = true;
    EXPECT_FALSE(alarm->step());
    alarm_tape.dies_before_commit = false;
    start();
    step();
    EXPECT_THAT(episodes(), SizeIs(1));
}

}  // namespace
}  // namespace stator::alarm
