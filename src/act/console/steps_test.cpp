#include "act/console/steps.h"

#include <gtest/gtest.h>

#include <string>

namespace stator::console {
namespace {

constexpr std::int64_t start_unix_ms = 1'000'000;

class Story {
  public:
    explicit Story(Steps& steps) : steps_{steps} {}

    void say(const std::string& topic, const std::string& sender, const std::string& payload) {
        log::Record record;
        record.receive_unix_ms = start_unix_ms + (now_ms_ += 100);
        record.topic = topic;
        record.sender = sender;
        record.payload = payload;
        last_ = record;
        steps_.on_record(record);
    }

    void again() { steps_.on_record(last_); }

    void reading(bool alarm = false) {
        say("shaded-pole-motor-sensor_data",
            "7",
            R"({"deviceID":"7","current":1,"boot":1,"seq":)" + std::to_string(++seq_) +
                R"(,"alarm":)" + (alarm ? "true" : "false") + "}");
    }

    void event(const std::string& sender, const std::string& members) {
        say("stator/devices/" + sender + "/event",
            sender,
            R"({"deviceID":")" + sender + R"(","boot":1,"seq":)" + std::to_string(++seq_) + "," +
                members + "}");
    }

    void model(const std::string& sender, const std::string& name, int release) {
        event(
            sender,
            R"("event":"model","state":"confirmed","model":")" + name + R"(","release":)" +
                std::to_string(release)
        );
    }

    void command(const std::string& name, const std::string& payload) {
        say("control-message",
            "learn",
            R"({"command":")" + name + R"(","payload":")" + payload + R"("})");
    }

    void level1(bool alarm) {
        say("motor-anomaly-level1-inference",
            "7",
            std::string{R"({"deviceID":"7","inference":0.9,"threshold":0.5,"alarm":)"} +
                (alarm ? "true" : "false") + "}");
    }

    void level2() {
        say("motor-failure-alert-level2-inference",
            "level2-1",
            R"({"deviceID":"7","alarm":true,"severity":"imminent","contributions":{"current":0.7}})"
        );
    }

    void effect() {
        event("7", R"("event":"action","state":"sent")");
        event("7", R"("event":"action","state":"effect-observed","flow_l_per_min":11.9)");
    }

    void commission() {
        reading();
        command("extract-data", "raw.csv");
        command("train-model", "normal.csv");
        model("7", "one.tflite", 1);
        model("level2-1", "two.tflite", 1);
    }

    [[nodiscard]] std::int64_t now_unix_ms() const { return start_unix_ms + now_ms_; }

  private:
    Steps& steps_;
    log::Record last_;
    std::int64_t now_ms_ = 0;
    int seq_ = 0;
};

Steps fresh() {
    return {"7", "level2-1", wire::Topics{}, start_unix_ms, "made"};
}

int done(const Steps& steps) {
    int count = 0;
    for (const Step& step : steps.steps())
        count += step.done ? 1 : 0;
    return count;
}

TEST(Steps, TickInTheOrderOfTheLoop) {
    Steps steps = fresh();
    Story story{steps};
    EXPECT_EQ(done(steps), 1);
    story.reading();
    EXPECT_EQ(done(steps), 3);
    story.command("extract-data", "raw.csv");
    story.command("train-model", "normal.csv");
    EXPECT_EQ(done(steps), 5);
    story.model("7", "one.tflite", 1);
    EXPECT_EQ(done(steps), 5) << "level 2 has no model yet";
    story.model("level2-1", "two.tflite", 1);
    EXPECT_EQ(done(steps), 6);
    story.level1(true);
    story.effect();
    EXPECT_EQ(done(steps), 6) << "level 2 has not agreed yet";
    story.level2();
    EXPECT_EQ(done(steps), 7);
    EXPECT_NE(steps.steps()[6].measured.find("flow 11.9 l/min"), std::string::npos);
    EXPECT_EQ(steps.action(), "confirmed");
}

TEST(Steps, TheLoopClosesOnlyWhenTheSecondModelIsQuietAndFindsTheOldFault) {
    Steps steps = fresh();
    Story story{steps};
    story.commission();
    story.level1(true);
    story.effect();
    story.level2();
    story.level1(false);
    story.level1(true);
    steps.on_verdict("false", "new load", story.now_unix_ms());
    story.command("train-model", "second.csv");
    story.model("7", "three.tflite", 2);
    for (int i = 0; i < 60; ++i)
        story.reading();
    story.level1(true);
    story.effect();
    EXPECT_EQ(done(steps), 7) << "sixty readings are not yet quiet";
    story.level1(false);
    for (int i = 0; i < 130; ++i)
        story.reading();
    EXPECT_NE(steps.false_alarms_stopped_after_ms(), 0U);
    story.level1(true);
    EXPECT_EQ(done(steps), 7) << "found, but not acted upon yet";
    story.effect();
    EXPECT_EQ(done(steps), 8);
}

TEST(Steps, WithoutAFalseVerdictNothingCountsAsLearntAgain) {
    Steps steps = fresh();
    Story story{steps};
    story.commission();
    story.level1(true);
    story.effect();
    story.level2();
    story.command("train-model", "second.csv");
    story.model("7", "three.tflite", 2);
    for (int i = 0; i < 200; ++i)
        story.reading();
    story.level1(true);
    story.effect();
    EXPECT_EQ(done(steps), 7);
}

TEST(Steps, ADuplicateReadingCountsOnce) {
    Steps steps = fresh();
    Story story{steps};
    story.reading();
    story.again();
    EXPECT_EQ(steps.readings(), 1U);
    EXPECT_EQ(steps.duplicates(), 1U);
}

TEST(Steps, WhatWasReceivedBeforeTheStoryIsNotPartOfIt) {
    Steps steps = fresh();
    log::Record record;
    record.receive_unix_ms = start_unix_ms - 1;
    record.topic = "control-message";
    record.payload = R"({"command":"extract-data","payload":"old.csv"})";
    steps.on_record(record);
    EXPECT_TRUE(steps.events().empty());
}

TEST(Steps, TheAlertNamesItsCauseAsPeopleReadIt) {
    Steps steps = fresh();
    Story story{steps};
    story.say(
        "motor-failure-alert-level2-inference",
        "level2-1",
        R"({"deviceID":"7","alarm":true,"severity":"potential","suspected":"bearing-wear",)"
        R"("contributions":{"current":0.2,"vibration_band_high":0.7}})"
    );
    ASSERT_FALSE(steps.timeline().empty());
    EXPECT_EQ(
        steps.timeline().back().text,
        "level 2 agrees: potential; suspected cause: bearing wear, mostly vibration band high "
        "(70 %)"
    );
}

TEST(Steps, WhatIsNoJsonHarmsNobody) {
    Steps steps = fresh();
    Story story{steps};
    for (const char* topic :
         {"shaded-pole-motor-sensor_data",
          "motor-anomaly-level1-inference",
          "motor-failure-alert-level2-inference",
          "control-message",
          "stator/devices/7/event"})
        for (const char* payload : {"", "{", "[]", "7", R"({"deviceID":7,"seq":"x"})"})
            story.say(topic, "7", payload);
    EXPECT_EQ(done(steps), 1);
}

}  // namespace
}  // namespace stator::console
