// Logging in, and what can be wrong with it: the simulated door, and a real Kafka's TLS listener
// where STATOR_KAFKA_SECURE_BOOTSTRAP names one.
#include "world/kafka/rdkafka.h"
#include "world/kafka/simulated.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdlib>
#include <memory>

namespace stator::kafka {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::int64_t turn_us = 50'000;
constexpr int turns_max = 1200;  // of the real ones a minute

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

std::vector<std::string> doors() {
    std::vector<std::string> made{"simulated"};
    if (environment("STATOR_KAFKA_SECURE_BOOTSTRAP").empty()) return made;
    made.emplace_back("SCRAM-SHA-256");
    made.emplace_back("SCRAM-SHA-512");
    return made;
}

class KafkaLogin : public testing::TestWithParam<std::string> {
  protected:
    void SetUp() override {
        options_.credentials.scram_user = "stator";
        options_.credentials.scram_password = "right";
        if (GetParam() == "simulated") {
            options_.brokers = "simulated:9092";
            kafka_ = std::make_unique<SimulatedKafka>(
                SimulatedSettings{.user = "stator", .password = "right"}
            );
            return;
        }
        options_.brokers = environment("STATOR_KAFKA_SECURE_BOOTSTRAP");
        options_.credentials.ca_file = environment("STATOR_KAFKA_CA");
        options_.credentials.scram_user = environment("STATOR_KAFKA_USER");
        options_.credentials.scram_password = environment("STATOR_KAFKA_PASSWORD");
        options_.credentials.scram_mechanism = GetParam();
        kafka_ = std::make_unique<RealKafka>();
    }

    // Stores one record, or says why it does not get there.
    std::string try_one() {
        auto producer = kafka_->producer(options_);
        if (!producer) return producer.error().what;
        auto id = (*producer)->produce({.topic = "login", .key = "7", .value = "x"});
        if (!id) return id.error().what;
        for (int turn = 0; turn < turns_max; ++turn) {
            for (const Delivery& delivery : (*producer)->poll(turn_us))
                if (delivery.stored) return "stored";
            if (!(*producer)->trouble().empty()) return (*producer)->trouble();
        }
        return "no word";
    }

    Options options_;
    std::unique_ptr<Kafka> kafka_;
};

TEST_P(KafkaLogin, WhoHasTheRightPasswordIsServed) {
    EXPECT_EQ(try_one(), "stored");
    options_.group = "login." + std::to_string(::getpid()) + GetParam();
    options_.topics = {"login"};
    auto consumer = kafka_->consumer(options_);
    ASSERT_TRUE(consumer);
    bool came = false;
    for (int turn = 0; turn < turns_max && !came; ++turn)
        came = !(*consumer)->take(1, turn_us).value_or(std::vector<Record>{}).empty();
    EXPECT_TRUE(came) << (*consumer)->trouble();
}

TEST_P(KafkaLogin, AWrongPasswordIsCalledThat) {
    options_.credentials.scram_password = "wrong";
    EXPECT_THAT(try_one(), HasSubstr("uthentication"));
}

TEST_P(KafkaLogin, ABrokerThatTheCaDoesNotVouchForIsNotSpokenTo) {
    if (GetParam() == "simulated") return;  // no TLS in there
    options_.credentials.ca_file.clear();
    options_.credentials.tls = true;  // the machine's CAs, which know nothing of a test's
    EXPECT_THAT(try_one(), HasSubstr("certificate"));
}

INSTANTIATE_TEST_SUITE_P(Doors, KafkaLogin, testing::ValuesIn(doors()), [](const auto& of) {
    return of.param == "simulated" ? of.param : "sha" + of.param.substr(10);
});

TEST(RealKafkaDoor, AMissingFileOrAnUnknownMechanismIsNamed) {
    RealKafka kafka;
    Options options{.brokers = "127.0.0.1:1"};
    options.credentials.ca_file = "/nowhere/ca.pem";
    auto made = kafka.producer(options);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().fault, base::Fault::bad_input);
    EXPECT_THAT(made.error().what, HasSubstr("/nowhere/ca.pem"));
    options.credentials = {.scram_user = "u", .scram_mechanism = "PLAIN"};
    made = kafka.producer(options);
    ASSERT_FALSE(made);
    EXPECT_THAT(made.error().what, HasSubstr("PLAIN"));
}

TEST(RealKafkaDoor, NobodyAtTheAddressIsSaidAndNotWaitedFor) {
    RealKafka kafka;
    auto made = kafka.producer({.brokers = "127.0.0.1:1"});
    ASSERT_TRUE(made);
    ASSERT_TRUE((*made)->produce({.topic = "t", .key = "k", .value = "v"}));
    for (int turn = 0; turn < turns_max && (*made)->trouble().empty(); ++turn)
        EXPECT_THAT((*made)->poll(turn_us), IsEmpty());
    EXPECT_THAT((*made)->trouble(), HasSubstr("127.0.0.1:1"));
}

TEST(SimulatedKafkaDoor, WhatGrewOldUnreadIsCountedAsMissed) {
    SimulatedKafka kafka;
    auto producer = kafka.producer({.brokers = "simulated:9092"});
    for (int i = 0; i < 5; ++i)
        ASSERT_TRUE((*producer)->produce({.topic = "t", .key = "k", .value = std::to_string(i)}));
    ASSERT_EQ((*producer)->poll(0).size(), 5U);
    auto consumer = kafka.consumer({.brokers = "simulated:9092", .group = "g", .topics = {"t"}});
    ASSERT_EQ((*consumer)->take(1, 0)->size(), 1U);
    kafka.forget("t", 0, 3);
    const auto records = (*consumer)->take(10, 0);
    ASSERT_EQ(records->size(), 2U);
    EXPECT_EQ(records->front().value, "3");
    EXPECT_EQ((*consumer)->missed(), 2U);
    EXPECT_EQ((*consumer)->missed(), 0U);
}

TEST(SimulatedKafkaDoor, ARecordWhoseAnswerWasLostIsThereAndComesTwiceWhenProducedAgain) {
    SimulatedKafka kafka;
    kafka.hold_answers(true);
    for (int life = 0; life < 2; ++life) {
        auto producer = kafka.producer({.brokers = "simulated:9092"});
        ASSERT_TRUE(producer);
        ASSERT_TRUE((*producer)->produce({.topic = "t", .key = "k", .value = "v"}));
        EXPECT_THAT((*producer)->poll(0), IsEmpty());
    }
    EXPECT_EQ(kafka.records("t").size(), 2U);
}

}  // namespace
}  // namespace stator::kafka
