#include "act/rollout/rollout.h"

#include "store/stream/tape.h"
#include "world/doors/simulated.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace stator::rollout {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr std::int64_t second_us = 1'000'000;

// A class of two motors, the registry's list of models, a broker, and an onlooker at everything.
class RolloutTest : public testing::Test, protected doors::SimulatedDoors {
  protected:
    RolloutTest() {
        server = http.listen(
                         {.port = 30007},
                         [this](const http::Request& request) {
                             if (down) return http::problem(503, "Down", "");
                             EXPECT_EQ(request.path, "/api/v1/models");
                             return http::Response{.body = "[" + listed + "]"};
                         }
        ).value();
        onlooker = mqtt.connect({.client_id = "onlooker"}).value();
        EXPECT_TRUE(onlooker->subscribe("#", 1));
        start();
        pass(second_us / 10);
        heard.clear();
    }

    // The service's own start, after a kill too.
    void start() {
        rollout.reset();
        client = mqtt.connect({.client_id = "rollout"}).value();
        Options options{
            .file = "/rollouts.db", .registry_url = "http://127.0.0.1:30007", .assets = {}
        };
        for (const char* device : {"one", "two"}) {
            asset::Asset motor = asset::shaded_pole_motor();
            motor.device = device;
            options.assets.push_back(motor);
        }
        auto made = Rollout::make(doors, tapes, *client, metrics, options);
        ASSERT_TRUE(made) << made.error().what;
        rollout = std::move(*made);
    }

    void pass(std::int64_t duration_us) {
        const std::int64_t end_us = clock.monotonic_us() + duration_us;
        while (clock.monotonic_us() < end_us) {
            while (mqtt.step()) {
            }
            for (const mqtt::Event& event : client->poll())
                rollout->on_event(event);
            const auto done = rollout->step();
            ASSERT_TRUE(done) << done.error().what;
            for (const mqtt::Event& event : onlooker->poll())
                if (event.kind == mqtt::Event::Kind::message)
                    heard.push_back(event.message.topic + " " + event.message.payload);
            clock.wait_us(5'000);
        }
    }

    void promote(const std::string& model, int level, int release) {
        if (!listed.empty()) listed += ",";
        listed += fmt::format(
            R"({{"name":"{}","device_class":"shaded-pole-motor","level":{},"release":{},)"
            R"("state":"promoted"}})",
            model,
            level,
            release
        );
    }

    void tell(const std::string& device, const std::string& model, const std::string& state) {
        control.put(
            "stator/devices/" + device + "/event",
            device,
            fmt::format(
                R"({{"deviceID":"{}","timeStamp":"1","boot":1,"seq":{},"event":"model",)"
                R"("state":"{}","model":"{}","release":1,"reason":"golden"}})",
                device,
                ++seq,
                state,
                model
            )
        );
    }

    void arrive(const std::string& device, const std::string& role = "actor") {
        control.put(
            "stator/presence/" + device,
            "gate",
            fmt::format(
                R"({{"deviceID":"{}","timeStamp":"1","state":"online","reason":"","role":"{}"}})",
                device,
                role
            )
        );
    }

    [[nodiscard]] rollouts::Rollout state_of(const std::string& model) const {
        return rollout->store().find(model).value().value();
    }

    [[nodiscard]] static std::string to(const std::string& device, const std::string& model) {
        return "stator/devices/" + device + "/command " + order(model);
    }

    [[nodiscard]] static std::string order(const std::string& model) {
        return R"({"command":"download-model","payload":")" + model + R"("})";
    }

    [[nodiscard]] static std::string to_all(const std::string& model) {
        return "control-message " + order(model);
    }

    metrics::Metrics metrics;
    stream::Tapes tapes;
    stream::Tape& control = tapes.of[log::Class::control];
    std::string listed;
    bool down = false;
    int seq = 0;
    std::unique_ptr<http::Server> server;
    std::unique_ptr<mqtt::Client> onlooker;
    std::unique_ptr<mqtt::Client> client;
    std::vector<std::string> heard;
    std::unique_ptr<Rollout> rollout;
};

TEST_F(RolloutTest, EachDeviceIsAskedAndAllAreToldWhenAllHaveConfirmed) {
    promote("m1", 1, 1);
    pass(second_us);
    EXPECT_THAT(heard, UnorderedElementsAre(to("one", "m1"), to("two", "m1")));
    heard.clear();
    tell("one", "m1", "trial");
    tell("one", "m1", "confirmed");
    pass(second_us);
    EXPECT_THAT(heard, IsEmpty()) << "the other has not";
    tell("two", "m1", "confirmed");
    pass(second_us);
    EXPECT_THAT(heard, ElementsAre(to_all("m1")));
    EXPECT_EQ(state_of("m1").state, rollouts::State::broadcast);
    heard.clear();
    pass(200 * second_us);
    EXPECT_THAT(heard, IsEmpty()) << "who has confirmed is not asked again";
}

TEST_F(RolloutTest, Level2IsToldAtOnceAndNoDeviceIsAsked) {
    promote("m2", 2, 1);
    pass(second_us);
    EXPECT_THAT(heard, ElementsAre(to_all("m2")));
}

TEST_F(RolloutTest, WhatIsNotPromotedGoesNowhere) {
    promote("m1", 1, 1);
    listed.replace(listed.find("promoted"), 8, "uploaded");
    pass(2 * second_us);
    EXPECT_THAT(heard, IsEmpty());
}

TEST_F(RolloutTest, WhoDoesNotAnswerIsAskedAgainAndSilenceStopsIt) {
    promote("m1", 1, 1);
    pass(second_us);
    tell("one", "m1", "confirmed");
    heard.clear();
    pass(6 * second_us);
    EXPECT_THAT(heard, ElementsAre(to("two", "m1")));
    pass(120 * second_us);
    EXPECT_EQ(state_of("m1").state, rollouts::State::failed);
    EXPECT_THAT(state_of("m1").reason, HasSubstr("silence"));
    heard.clear();
    pass(20 * second_us);
    arrive("two");
    pass(second_us);
    EXPECT_THAT(heard, IsEmpty()) << "nobody is asked to run what failed";
}

TEST_F(RolloutTest, ARefusalStopsItForAll) {
    promote("m1", 1, 1);
    pass(second_us);
    tell("two", "m1", "refused");
    tell("one", "m1", "confirmed");
    pass(second_us);
    EXPECT_EQ(state_of("m1").state, rollouts::State::failed);
    EXPECT_EQ(state_of("m1").reason, "two refused it: golden");
    EXPECT_EQ(metrics.get("stator_rollout_failed_total"), 1.0);
    heard.clear();
    promote("m2", 1, 2);
    pass(second_us);
    EXPECT_THAT(heard, UnorderedElementsAre(to("one", "m2"), to("two", "m2")))
        << "the next release goes out";
}

TEST_F(RolloutTest, WhoComesBackIsToldWhatItShouldRun) {
    promote("m1", 1, 1);
    pass(second_us);
    for (const char* device : {"one", "two"})
        tell(device, "m1", "confirmed");
    pass(second_us);
    heard.clear();
    arrive("two");
    arrive("a stranger");
    pass(second_us);
    EXPECT_THAT(heard, ElementsAre(to("two", "m1")));
}

TEST_F(RolloutTest, WhoComesInTheRoleOfLevel2IsToldLevel2sModelAndNotLevel1s) {
    promote("m1", 1, 1);
    promote("m2", 2, 1);
    promote("m3", 2, 2);
    pass(second_us);
    for (const char* device : {"one", "two"})
        tell(device, "m1", "confirmed");
    pass(second_us);
    heard.clear();
    arrive("board", "level2");
    pass(second_us);
    EXPECT_THAT(heard, ElementsAre(to("board", "m3")));
    heard.clear();
    arrive("one");
    pass(second_us);
    EXPECT_THAT(heard, ElementsAre(to("one", "m1")));
}

TEST_F(RolloutTest, ARegistryThatIsDownIsSaidOnceAndAskedAgain) {
    down = true;
    promote("m1", 1, 1);
    pass(10 * second_us);
    EXPECT_THAT(heard, IsEmpty());
    const auto said = [&] {
        return std::ranges::count_if(journal.lines(), [](const auto& line) {
            return line.text.find("answered 503") != std::string::npos;
        });
    };
    EXPECT_EQ(said(), 1);
    down = false;
    pass(second_us);
    EXPECT_THAT(heard, UnorderedElementsAre(to("one", "m1"), to("two", "m1")));
}

TEST_F(RolloutTest, KilledAfterItsTransactionItReadsAgainWithoutTellingTwice) {
    promote("m1", 1, 1);
    pass(second_us);
    tell("one", "m1", "confirmed");
    tell("two", "m1", "confirmed");
    control.dies_before_commit = true;
    EXPECT_FALSE(rollout->step());
    EXPECT_EQ(control.committed, 0U);
    control.dies_before_commit = false;
    start();
    heard.clear();
    pass(second_us);
    EXPECT_THAT(heard, ElementsAre(to_all("m1")));
    EXPECT_EQ(control.committed, 2U);
}

TEST_F(RolloutTest, KilledInARolloutItGoesOnWithIt) {
    promote("m1", 1, 1);
    pass(second_us);
    tell("one", "m1", "confirmed");
    pass(second_us);
    start();
    heard.clear();
    pass(second_us);
    EXPECT_THAT(heard, ElementsAre(to("two", "m1"))) << "when it was asked is not known any more";
    tell("two", "m1", "confirmed");
    pass(second_us);
    EXPECT_EQ(state_of("m1").state, rollouts::State::broadcast);
}

TEST_F(RolloutTest, GarbageIsPassedOver) {
    control.put("stator/devices/one/event", "one", "{");
    control.put("stator/presence/one", "gate", "[]");
    control.put("control-message", "ingest", "{}");
    tell("one", "a model nobody knows", "confirmed");
    listed = R"(7,"x",{"name":4,"state":"promoted"},{"name":"m1","state":3})";
    pass(second_us);
    EXPECT_THAT(heard, IsEmpty());
    EXPECT_EQ(control.committed, 4U);
}

}  // namespace
}  // namespace stator::rollout
