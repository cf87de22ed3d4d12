// What every kafka door keeps: the simulated one, librdkafka against its own small brokers, and
// librdkafka against a real Kafka where STATOR_KAFKA_BOOTSTRAP names one (tests/system starts it).
#include "world/kafka/kafka.h"

#include "world/kafka/rdkafka.h"
#include "world/kafka/simulated.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <memory>
#include <set>

namespace stator::kafka {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::int64_t turn_us = 50'000;
constexpr int turns_max = 1200;  // of the real ones a minute

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

// Brokers to be tested against, and what can be done to them.
class Brokers {
  public:
    virtual ~Brokers() = default;
    [[nodiscard]] virtual Kafka& kafka() = 0;
    [[nodiscard]] virtual Options options() = 0;
    virtual void go_away() = 0;
    virtual void come_back() = 0;
};

class Simulated final : public Brokers {
  public:
    Kafka& kafka() override { return kafka_; }

    Options options() override { return {.brokers = "simulated:9092"}; }

    void go_away() override { kafka_.set_away(true); }

    void come_back() override { kafka_.set_away(false); }

  private:
    SimulatedKafka kafka_{{.partitions = 2}};
};

class Small final : public Brokers {
  public:
    Small() {
        char why[256];
        handle_ = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), why, sizeof(why));
        cluster_ = rd_kafka_mock_cluster_new(handle_, 1);
    }

    ~Small() override {
        rd_kafka_mock_cluster_destroy(cluster_);
        rd_kafka_destroy(handle_);
    }

    Small(const Small&) = delete;
    Small& operator=(const Small&) = delete;

    Kafka& kafka() override { return kafka_; }

    Options options() override { return {.brokers = rd_kafka_mock_cluster_bootstraps(cluster_)}; }

    void go_away() override { rd_kafka_mock_broker_set_down(cluster_, 1); }

    void come_back() override { rd_kafka_mock_broker_set_up(cluster_, 1); }

    // A topic of one partition; without a leader nothing can be stored in it.
    void make_topic(const std::string& topic) {
        rd_kafka_mock_topic_create(cluster_, topic.c_str(), 1, 1);
    }

    void set_leader(const std::string& topic, bool has_one) {
        rd_kafka_mock_partition_set_leader(cluster_, topic.c_str(), 0, has_one ? 1 : -1);
    }

  private:
    rd_kafka_t* handle_ = nullptr;
    rd_kafka_mock_cluster_t* cluster_ = nullptr;
    RealKafka kafka_;
};

class Real final : public Brokers {
  public:
    Kafka& kafka() override { return kafka_; }

    Options options() override { return {.brokers = environment("STATOR_KAFKA_BOOTSTRAP")}; }

    void go_away() override { tell("kill 1"); }

    void come_back() override { tell("start 1"); }

  private:
    static void tell(const std::string& what) {
        const std::string command = environment("STATOR_KAFKA_TELL") + " '" + what + "'";
        ASSERT_EQ(std::system(command.c_str()), 0) << command;
    }

    RealKafka kafka_;
};

std::vector<std::string> doors() {
    std::vector<std::string> made{"simulated"};
    if (!environment("STATOR_KAFKA_BOOTSTRAP").empty()) made.emplace_back("real");
    return made;
}

bool eventually(const std::function<bool()>& condition) {
    for (int turn = 0; turn < turns_max; ++turn)
        if (condition()) return true;
    return false;
}

// Stores them all, and says how often one was not.
int store_in(
    const std::string& topic,
    Producer& producer,
    const std::vector<std::string>& values,
    const std::string& key
) {
    std::set<std::uint64_t> open;
    for (const std::string& value : values) {
        auto id = producer.produce({.topic = topic, .key = key, .value = value});
        EXPECT_TRUE(id) << id.error().what;
        if (id) open.insert(*id);
    }
    int failed = 0;
    EXPECT_TRUE(eventually([&] {
        for (const Delivery& delivery : producer.poll(turn_us)) {
            EXPECT_EQ(open.erase(delivery.id), 1U) << "told twice, or of another";
            if (!delivery.stored) ++failed;
        }
        return open.empty();
    })) << producer.trouble();
    return failed;
}

class KafkaDoor : public testing::TestWithParam<std::string> {
  protected:
    void SetUp() override {
        if (GetParam() == "simulated") brokers_ = std::make_unique<Simulated>();
        if (GetParam() == "small") brokers_ = std::make_unique<Small>();
        if (GetParam() == "real") brokers_ = std::make_unique<Real>();
        const auto* test = testing::UnitTest::GetInstance()->current_test_info();
        std::string name = test->name();
        name = name.substr(0, name.find('/'));
        topic_ = "t" + std::to_string(::getpid()) + "." + name;
    }

    std::unique_ptr<Producer> producer(const std::function<void(Options&)>& change = {}) {
        Options options = brokers_->options();
        if (change) change(options);
        auto made = brokers_->kafka().producer(options);
        EXPECT_TRUE(made) << made.error().what;
        return std::move(*made);
    }

    std::unique_ptr<Consumer> consumer(const std::function<void(Options&)>& change = {}) {
        Options options = brokers_->options();
        options.group = "g." + topic_;
        options.topics = {topic_};
        options.session_timeout_ms = 6000;
        if (change) change(options);
        auto made = brokers_->kafka().consumer(options);
        EXPECT_TRUE(made) << made.error().what;
        return std::move(*made);
    }

    int store(Producer& producer, const std::vector<std::string>& values, std::string key = "7") {
        return store_in(topic_, producer, values, key);
    }

    std::vector<Record> take(Consumer& consumer, std::size_t count) {
        std::vector<Record> made;
        EXPECT_TRUE(eventually([&] {
            auto some = consumer.take(count - made.size(), turn_us);
            EXPECT_TRUE(some) << some.error().what;
            if (some) made.insert(made.end(), some->begin(), some->end());
            return made.size() >= count;
        })) << made.size()
            << " came; " << consumer.trouble();
        return made;
    }

    static std::vector<std::string> values_of(const std::vector<Record>& records) {
        std::vector<std::string> made;
        for (const Record& record : records)
            made.push_back(record.value);
        return made;
    }

    std::unique_ptr<Brokers> brokers_;
    std::string topic_;
};

// librdkafka's own brokers let a group wait three seconds for company: not for these.
class KafkaGroup : public KafkaDoor {};

TEST_P(KafkaDoor, WhatIsAcknowledgedComesInOrderWithItsKeyHeadersAndTime) {
    auto out = producer();
    auto id = out->produce(
        {.topic = topic_,
         .key = "14333616",
         .value = std::string{"\0{}\xff", 4},
         .headers = {{"stator-site", "here"}, {"empty", ""}},
         .unix_ms = 1'669'170'000'123}
    );
    ASSERT_TRUE(id);
    ASSERT_TRUE(eventually([&] {
        const auto told = out->poll(turn_us);
        return told.size() == 1 && told[0].id == *id && told[0].stored && told[0].reason.empty();
    }));
    EXPECT_EQ(store(*out, {"two", "three"}, "14333616"), 0);
    auto in = consumer();
    const auto records = take(*in, 3);
    ASSERT_EQ(records.size(), 3U);
    EXPECT_EQ(records[0].topic, topic_);
    EXPECT_EQ(records[0].key, "14333616");
    EXPECT_EQ(records[0].value, (std::string{"\0{}\xff", 4}));
    EXPECT_EQ(records[0].headers.at("stator-site"), "here");
    EXPECT_EQ(records[0].headers.at("empty"), "");
    EXPECT_EQ(records[0].unix_ms, 1'669'170'000'123);
    EXPECT_EQ(records[0].offset, 0);
    EXPECT_EQ(records[1].offset, 1);
    EXPECT_EQ(records[2].value, "three");
    EXPECT_EQ(records[1].partition, records[0].partition) << "one key is one partition";
}

TEST_P(KafkaGroup, WhatIsCommittedDoesNotComeAgainAndTheRestDoes) {
    auto out = producer();
    EXPECT_EQ(store(*out, {"1", "2", "3", "4"}), 0);
    {
        auto in = consumer();
        const auto records = take(*in, 3);
        ASSERT_EQ(records.size(), 3U);
        EXPECT_TRUE(in->commit(records[1]));
        EXPECT_TRUE(in->commit(records[0])) << "an earlier one is done too, and takes nothing back";
    }
    auto again = consumer();
    EXPECT_THAT(values_of(take(*again, 2)), ElementsAre("3", "4"));
}

TEST_P(KafkaGroup, EveryGroupHasItsOwnPlace) {
    auto out = producer();
    EXPECT_EQ(store(*out, {"1", "2"}), 0);
    auto one = consumer();
    const auto records = take(*one, 2);
    EXPECT_TRUE(one->commit(records.back()));
    auto other = consumer([](Options& options) { options.group += ".other"; });
    EXPECT_THAT(values_of(take(*other, 2)), ElementsAre("1", "2"));
}

TEST_P(KafkaGroup, AReaderThatIsThereBeforeItsTopicTakesTheFirstRecordToo) {
    auto in = consumer();
    auto nothing = in->take(10, turn_us);
    ASSERT_TRUE(nothing) << nothing.error().what;
    EXPECT_THAT(*nothing, IsEmpty());
    auto out = producer();
    EXPECT_EQ(store(*out, {"first"}), 0);
    EXPECT_THAT(values_of(take(*in, 1)), ElementsAre("first"));
}

TEST_P(KafkaDoor, AFullQueueSaysSoAndTakesAgainWhenItHasRoom) {
    auto out = producer([](Options& options) { options.queue_max = 10; });
    brokers_->go_away();
    int taken = 0;
    base::Fault fault = base::Fault::io;
    for (int i = 0; i < 20; ++i) {
        auto id = out->produce({.topic = topic_, .key = "7", .value = std::to_string(i)});
        if (id) ++taken;
        if (!id) fault = id.error().fault;
    }
    EXPECT_EQ(taken, 10);
    EXPECT_EQ(fault, base::Fault::full);
    brokers_->come_back();
    int told = 0;
    EXPECT_TRUE(eventually([&] {
        for (const Delivery& delivery : out->poll(turn_us))
            told += delivery.stored ? 1 : 0;
        return told == taken;
    }));
    EXPECT_EQ(store(*out, {"room"}), 0);
    auto in = consumer();
    EXPECT_EQ(take(*in, 11).size(), 11U);
}

TEST_P(KafkaDoor, BrokersThatAreAwayAreWaitedForAndNothingIsLostOrDoubled) {
    auto out = producer();
    auto in = consumer();
    EXPECT_EQ(store(*out, {"before"}), 0);
    const auto before = take(*in, 1);
    EXPECT_TRUE(in->commit(before[0]));
    brokers_->go_away();
    std::set<std::uint64_t> open;
    for (int i = 0; i < 50; ++i) {
        auto id = out->produce({.topic = topic_, .key = "7", .value = std::to_string(i)});
        ASSERT_TRUE(id) << id.error().what;
        open.insert(*id);
    }
    EXPECT_TRUE(eventually([&] {
        EXPECT_THAT(out->poll(turn_us), IsEmpty());
        EXPECT_TRUE(in->take(10, turn_us));
        return !out->trouble().empty() && !in->trouble().empty();
    })) << "brokers that are away are said to be";
    brokers_->come_back();
    EXPECT_TRUE(eventually([&] {
        for (const Delivery& delivery : out->poll(turn_us)) {
            EXPECT_TRUE(delivery.stored) << delivery.reason;
            open.erase(delivery.id);
        }
        return open.empty();
    }));
    std::vector<std::string> expected;
    for (int i = 0; i < 50; ++i)
        expected.push_back(std::to_string(i));
    EXPECT_EQ(values_of(take(*in, 50)), expected);
    EXPECT_TRUE(eventually([&] {
        (void)out->poll(turn_us);
        auto more = in->take(10, turn_us);
        EXPECT_TRUE(more && more->empty()) << "doubled";
        return out->trouble().empty() && in->trouble().empty();
    })) << out->trouble()
        << in->trouble();
}

TEST_P(KafkaGroup, ACommitWhileBrokersAreAwayIsStoredWhenTheyAreBack) {
    auto out = producer();
    EXPECT_EQ(store(*out, {"1", "2"}), 0);
    {
        // Longer than they are away: else the partition is lost, and the commit with it.
        auto in = consumer([](Options& options) { options.session_timeout_ms = 60'000; });
        const auto records = take(*in, 1);
        brokers_->go_away();
        EXPECT_TRUE(eventually([&] {
            EXPECT_TRUE(in->take(1, turn_us));  // what was fetched before: not of interest
            return !in->trouble().empty();
        }));
        EXPECT_TRUE(in->commit(records[0]));
        brokers_->come_back();
        EXPECT_TRUE(eventually([&] {
            EXPECT_TRUE(in->take(1, turn_us));
            return in->trouble().empty();
        }));
    }
    auto again = consumer();
    EXPECT_THAT(values_of(take(*again, 1)), ElementsAre("2"));
}

TEST_P(KafkaGroup, TwoOfOneGroupShareThePartitionsAndOneTakesOverWhatTheOtherLeaves) {
    auto out = producer();
    for (const char* key : {"a", "b", "c", "d", "e", "f", "g", "h"})
        EXPECT_EQ(store(*out, {std::string{"1"} + key}, key), 0);
    auto one = consumer();
    std::set<std::string> seen;
    const auto drain = [&](Consumer& from) {
        auto records = from.take(100, turn_us);
        ASSERT_TRUE(records) << records.error().what;
        for (const Record& record : *records) {
            seen.insert(record.value);
            // A partition may have gone while this was taken: then the other takes it again.
            auto done = from.commit(record);
            EXPECT_TRUE(done || done.error().fault == base::Fault::not_found) << done.error().what;
        }
    };
    ASSERT_TRUE(eventually([&] { return drain(*one), seen.size() == 8; }));
    const std::size_t all = one->partitions();
    ASSERT_GE(all, 1U);
    auto two = consumer();
    ASSERT_TRUE(eventually([&] {
        drain(*one);
        drain(*two);
        return one->partitions() + two->partitions() == all && (two->partitions() > 0 || all == 1);
    }));
    for (const char* key : {"a", "b", "c", "d", "e", "f", "g", "h"})
        EXPECT_EQ(store(*out, {std::string{"2"} + key}, key), 0);
    ASSERT_TRUE(eventually([&] {
        drain(*one);
        drain(*two);
        return seen.size() == 16;
    }));
    two.reset();
    ASSERT_TRUE(eventually([&] { return drain(*one), one->partitions() == all; }));
    for (const char* key : {"a", "b", "c", "d", "e", "f", "g", "h"})
        EXPECT_EQ(store(*out, {std::string{"3"} + key}, key), 0);
    ASSERT_TRUE(eventually([&] { return drain(*one), seen.size() == 24; }));
}

TEST_P(KafkaGroup, WhatBecameAnothersCannotBeCommitted) {
    auto out = producer();
    EXPECT_EQ(store(*out, {"1"}), 0);
    auto one = consumer();
    const auto records = take(*one, 1);
    Record elsewhere = records[0];
    elsewhere.partition += 1000;
    auto done = one->commit(elsewhere);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().fault, base::Fault::not_found);
    EXPECT_THAT(done.error().what, HasSubstr(topic_));
}

TEST_P(KafkaGroup, ASecondReaderOfTheSameNamePutsTheFirstOut) {
    auto out = producer();
    EXPECT_EQ(store(*out, {"1"}), 0);
    auto first = consumer([](Options& options) { options.instance = "ingest"; });
    EXPECT_EQ(take(*first, 1).size(), 1U);
    auto second = consumer([](Options& options) { options.instance = "ingest"; });
    EXPECT_THAT(values_of(take(*second, 1)), ElementsAre("1"));
    EXPECT_TRUE(eventually([&] {
        auto taken = first->take(1, turn_us);
        return !taken && taken.error().fault == base::Fault::closed;
    }));
}

TEST_P(KafkaDoor, ARecordThatIsTooLargeIsRefusedForGoodAndTheNextGoes) {
    auto out = producer();
    auto id = out->produce({.topic = topic_, .key = "7", .value = std::string(2'000'000, 'x')});
    ASSERT_FALSE(id);
    EXPECT_EQ(id.error().fault, base::Fault::bad_input);
    EXPECT_THAT(id.error().what, HasSubstr(topic_));
    EXPECT_EQ(store(*out, {"next"}), 0);
}

TEST(KafkaProducer, WhatIsNeverAnsweredGoesAgainInOrder) {
    Small brokers;
    brokers.make_topic("alarms");
    Options options = brokers.options();
    options.unanswered_ms_max = 500;
    auto made = brokers.kafka().producer(options);
    ASSERT_TRUE(made) << made.error().what;
    Producer& out = **made;
    ASSERT_TRUE(eventually([&] { return store_in("alarms", out, {"first"}, "7") == 0; }));
    brokers.set_leader("alarms", false);
    std::vector<std::uint64_t> asked;
    for (const char* value : {"second", "third", "fourth"}) {
        const auto id = out.produce({.topic = "alarms", .key = "7", .value = value});
        ASSERT_TRUE(id) << id.error().what;
        asked.push_back(*id);
    }
    std::vector<std::uint64_t> told;
    ASSERT_TRUE(eventually([&] {
        for (const Delivery& delivery : out.poll(turn_us)) {
            EXPECT_FALSE(delivery.stored);
            EXPECT_TRUE(delivery.again) << delivery.reason;
            told.push_back(delivery.id);
        }
        return told.size() == asked.size();
    }));
    EXPECT_EQ(told, asked);
    brokers.set_leader("alarms", true);
    EXPECT_TRUE(eventually([&] { return store_in("alarms", out, {"and on"}, "7") == 0; }));
}

TEST_P(KafkaDoor, WhatCanNeverWorkIsSaidAtTheStart) {
    Options options = brokers_->options();
    options.brokers.clear();
    auto made = brokers_->kafka().producer(options);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().fault, base::Fault::bad_input);
    EXPECT_THAT(made.error().what, HasSubstr("no brokers"));
    auto without_group = brokers_->kafka().consumer(brokers_->options());
    ASSERT_FALSE(without_group);
    EXPECT_THAT(without_group.error().what, HasSubstr("group"));
}

INSTANTIATE_TEST_SUITE_P(Doors, KafkaDoor, testing::ValuesIn(doors()), [](const auto& of) {
    return of.param;
});
INSTANTIATE_TEST_SUITE_P(SmallBrokers, KafkaDoor, testing::Values("small"));
INSTANTIATE_TEST_SUITE_P(Doors, KafkaGroup, testing::ValuesIn(doors()), [](const auto& of) {
    return of.param;
});

}  // namespace
}  // namespace stator::kafka
