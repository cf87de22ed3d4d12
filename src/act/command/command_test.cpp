#include "act/command/command.h"

#include "store/stream/tape.h"
#include "world/doors/simulated.h"
#include "world/json/json.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace stator::command {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::int64_t second_us = 1'000'000;

// A broker, an onlooker at one device's orders, and what devices say in memory.
class CommandTest : public testing::Test, protected doors::SimulatedDoors {
  protected:
    CommandTest() {
        onlooker = mqtt.connect({.client_id = "onlooker"}).value();
        EXPECT_TRUE(onlooker->subscribe("stator/devices/+/command", 1));
        start();
        pass(second_us / 10);
    }

    // The service's own start, after a kill too.
    void start() {
        command.reset();
        client = mqtt.connect({.client_id = "command"}).value();
        auto made = Command::make(doors, tapes, *client, metrics, {.file = "/commands.db"});
        ASSERT_TRUE(made) << made.error().what;
        command = std::move(*made);
    }

    void pass(std::int64_t duration_us) {
        const std::int64_t end_us = clock.monotonic_us() + duration_us;
        while (clock.monotonic_us() < end_us) {
            while (mqtt.step()) {
            }
            for (const mqtt::Event& event : client->poll())
                command->on_event(event);
            const auto done = command->step();
            ASSERT_TRUE(done) << done.error().what;
            for (const mqtt::Event& event : onlooker->poll())
                if (event.kind == mqtt::Event::Kind::message)
                    heard.push_back(event.message.topic + " " + event.message.payload);
            clock.wait_us(5'000);
        }
    }

    std::string order(const std::string& what = "backup-on") {
        const auto ordered =
            command->order(R"({"device":"pump","command":")" + what + R"("})", "anna");
        EXPECT_TRUE(ordered);
        return stator::json::text_of(nlohmann::json::parse(*ordered), "id");
    }

    void tell(const std::string& device, const std::string& id, const std::string& state) {
        control.put(
            "stator/devices/" + device + "/event",
            device,
            fmt::format(
                R"({{"deviceID":"{}","timeStamp":"1","boot":1,"seq":{},"event":"action",)"
                R"("command":"backup","commandID":"{}","state":"{}","reason":"{}"}})",
                device,
                ++seq,
                id,
                state,
                state == "refused" ? "minimum off time" : ""
            )
        );
    }

    // "state reason" of the command.
    std::string state_of(const std::string& id) {
        for (const nlohmann::json& one : nlohmann::json::parse(command->commands_json()))
            if (stator::json::text_of(one, "id") == id)
                return stator::json::text_of(one, "state") + " " +
                       stator::json::text_of(one, "reason");
        return "unknown";
    }

    metrics::Metrics metrics;
    stream::Tapes tapes;
    stream::Tape& control = tapes.of[log::Class::control];
    int seq = 0;
    std::unique_ptr<mqtt::Client> onlooker;
    std::unique_ptr<mqtt::Client> client;
    std::vector<std::string> heard;
    std::unique_ptr<Command> command;
};

TEST_F(CommandTest, AnOrderReachesTheDeviceAndIsFollowedToItsEffect) {
    const std::string id = order();
    EXPECT_EQ(state_of(id), "accepted ");
    pass(second_us);
    EXPECT_THAT(
        heard,
        ElementsAre(
            R"(stator/devices/pump/command {"command":"backup-on","payload":")" + id + R"("})"
        )
    );
    for (const char* state : {"sent", "acknowledged", "effect-observed"}) {
        tell("pump", id, state);
        pass(second_us / 10);
        EXPECT_EQ(state_of(id), std::string{state} + " ");
    }
    pass(60 * second_us);
    EXPECT_EQ(state_of(id), "effect-observed ") << "what ended does not expire";
}

TEST_F(CommandTest, TheDevicesRefusalIsShownWithItsReason) {
    const std::string id = order();
    tell("pump", id, "refused");
    pass(second_us);
    EXPECT_EQ(state_of(id), "refused minimum off time");
}

TEST_F(CommandTest, NobodyElseAnswersForTheDevice) {
    const std::string id = order();
    tell("another", id, "effect-observed");
    tell("pump", "another-id", "effect-observed");
    pass(second_us);
    EXPECT_EQ(state_of(id), "accepted ");
}

TEST_F(CommandTest, SilenceExpiresAnOrderAndALateAnswerStillCounts) {
    const std::string id = order("backup-off");
    pass(29 * second_us);
    EXPECT_EQ(state_of(id), "accepted ");
    pass(3 * second_us);
    EXPECT_EQ(state_of(id), "expired ");
    tell("pump", id, "effect-not-observed");
    pass(second_us);
    EXPECT_EQ(state_of(id), "effect-not-observed ") << "what happened is told, however late";
}

TEST_F(CommandTest, AWaveformIsOrderedByItsChannelAndIsItsOwnAnswer) {
    const auto ordered = command->order(
        R"({"device":"pump","command":"record-waveform","channel":"sound"})", "anna"
    );
    ASSERT_TRUE(ordered);
    const std::string usual = order("record-waveform");
    pass(60 * second_us);
    EXPECT_THAT(
        heard,
        ElementsAre(
            R"(stator/devices/pump/command {"command":"record-waveform","payload":"sound"})",
            R"(stator/devices/pump/command {"command":"record-waveform","payload":""})"
        )
    );
    EXPECT_EQ(state_of(usual), "sent ") << "it does not expire";
}

TEST_F(CommandTest, WhatIsNoOrderIsRefusedAndSentToNobody) {
    for (const char* body :
         {"",
          "[]",
          "{}",
          R"({"device":"pump"})",
          R"({"device":5,"command":"backup-on"})",
          R"({"device":"pump","command":["backup-on"]})",
          R"({"device":"","command":"backup-on"})",
          R"({"device":"+","command":"backup-on"})",
          R"({"device":"pump/x","command":"backup-on"})",
          R"({"device":"pump","command":"explode"})"}) {
        const auto ordered = command->order(body, "anna");
        ASSERT_FALSE(ordered) << body;
        EXPECT_EQ(ordered.error().fault, base::Fault::bad_input) << body;
    }
    pass(second_us);
    EXPECT_THAT(heard, IsEmpty());
    EXPECT_EQ(command->commands_json(), "[]");
}

TEST_F(CommandTest, AnOrderThatWasAcceptedSurvivesAKillBeforeItWasSent) {
    mqtt.kill();
    const std::string id = order();
    pass(second_us);
    start();
    mqtt.start(nullptr);
    onlooker = mqtt.connect({.client_id = "onlooker"}).value();
    ASSERT_TRUE(onlooker->subscribe("stator/devices/+/command", 1));
    pass(30 * second_us);
    ASSERT_FALSE(heard.empty());
    EXPECT_THAT(heard.front(), HasSubstr(id));
    EXPECT_THAT(command->commands_json(), HasSubstr(R"("who":"anna")"));
}

TEST_F(CommandTest, GarbageIsPassedOver) {
    control.put("stator/devices/pump/event", "pump", "{");
    control.put("stator/presence/pump", "gate", "[]");
    pass(second_us);
    EXPECT_EQ(control.committed, 2U);
}

}  // namespace
}  // namespace stator::command
