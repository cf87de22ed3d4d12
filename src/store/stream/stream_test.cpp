// What every consumer may rely on, whichever stream it reads: the log, a simulated Kafka, and a
// real one where STATOR_KAFKA_BOOTSTRAP names one.
#include "store/log/writer.h"
#include "store/stream/kafka_record.h"
#include "store/stream/kafka_stream.h"
#include "store/stream/log_stream.h"
#include "store/stream/sequences.h"
#include "world/clock/virtual.h"
#include "world/disk/simulated.h"
#include "world/kafka/rdkafka.h"
#include "world/kafka/simulated.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>

namespace stator::stream {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::int64_t turn_us = 50'000;
constexpr int turns_max = 600;  // of the real one half a minute

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

std::string reading(const std::string& device, int seq, int boot = 1) {
    return R"({"deviceID":")" + device + R"(","boot":)" + std::to_string(boot) + R"(,"seq":)" +
           std::to_string(seq) + R"(,"current":1})";
}

// A stream, and the way into it.
class Way {
  public:
    virtual ~Way() = default;
    [[nodiscard]] virtual Stream& stream() = 0;
    virtual void put(log::Class log_class, const log::Record& record) = 0;
};

class LogWay final : public Way {
  public:
    LogWay() {
        auto opened = log::Writer::open(disk_, clock_, "/log", {});
        EXPECT_TRUE(opened) << opened.error().what;
        writer_ = std::move(*opened);
    }

    Stream& stream() override { return stream_; }

    void put(log::Class log_class, const log::Record& record) override {
        log::RecordView view;
        view.receive_unix_ms = record.receive_unix_ms;
        view.topic = record.topic;
        view.sender = record.sender;
        view.payload = record.payload;
        ASSERT_TRUE(writer_->append(log_class, view));
        ASSERT_TRUE(writer_->sync());
    }

  private:
    disk::SimulatedDisk disk_;
    clock::VirtualClock clock_{1'700'000'000'000};
    std::unique_ptr<log::Writer> writer_;
    LogStream stream_{disk_, "/log"};
};

class KafkaWay final : public Way {
  public:
    KafkaWay(std::unique_ptr<kafka::Kafka> kafka, const std::string& brokers, std::string mark)
        : kafka_{std::move(kafka)}, mark_{std::move(mark)} {
        KafkaStreamOptions options;
        options.connection.brokers = brokers;
        options.site = mark_;
        for (const log::Class one : {log::Class::telemetry, log::Class::alarm})
            options.topics.at(static_cast<std::size_t>(one)) = {topic_of(one)};
        stream_ = std::make_unique<KafkaStream>(*kafka_, options);
        auto producer = kafka_->producer(options.connection);
        EXPECT_TRUE(producer) << producer.error().what;
        producer_ = std::move(*producer);
    }

    Stream& stream() override { return *stream_; }

    void put(log::Class log_class, const log::Record& record) override {
        ASSERT_TRUE(producer_->produce(to_kafka(record, mark_, topic_of(log_class))));
        for (int turn = 0; turn < turns_max; ++turn)
            if (!producer_->poll(turn_us).empty()) return;
        FAIL() << producer_->trouble();
    }

  private:
    [[nodiscard]] std::string topic_of(log::Class log_class) const {
        return mark_ + "." + std::string{log::name_of(log_class)};
    }

    std::unique_ptr<kafka::Kafka> kafka_;
    std::string mark_;
    std::unique_ptr<KafkaStream> stream_;
    std::unique_ptr<kafka::Producer> producer_;
};

class AnyStream : public testing::TestWithParam<std::string> {
  protected:
    void SetUp() override {
        const std::string test = testing::UnitTest::GetInstance()->current_test_info()->name();
        const std::string mark =
            "s" + std::to_string(::getpid()) + "." + test.substr(0, test.find('/'));
        if (GetParam() == "log") way_ = std::make_unique<LogWay>();
        if (GetParam() == "kafka_simulated")
            way_ = std::make_unique<KafkaWay>(
                std::make_unique<kafka::SimulatedKafka>(), "simulated:9092", mark
            );
        if (GetParam() == "kafka_real")
            way_ = std::make_unique<KafkaWay>(
                std::make_unique<kafka::RealKafka>(), environment("STATOR_KAFKA_BOOTSTRAP"), mark
            );
    }

    void put(
        const std::string& payload,
        log::Class log_class = log::Class::telemetry,
        const std::string& sender = "7"
    ) {
        log::Record record;
        record.receive_unix_ms = 1'700'000'000'000;
        record.topic = "stator/data";
        record.sender = sender;
        record.payload = payload;
        way_->put(log_class, record);
    }

    static std::unique_ptr<Source> open(
        Stream& stream, const std::string& name, log::Class log_class = log::Class::telemetry
    ) {
        auto source = stream.open(log_class, {.name = name, .required = true});
        EXPECT_TRUE(source) << source.error().what;
        return std::move(*source);
    }

    // `count` records, in as many goes as it takes.
    static std::vector<log::Record> take(Source& source, std::size_t count) {
        std::vector<log::Record> made;
        for (int turn = 0; turn < turns_max && made.size() < count; ++turn) {
            auto records = source.take(count - made.size());
            EXPECT_TRUE(records) << records.error().what;
            if (!records) break;
            made.insert(made.end(), records->begin(), records->end());
            if (made.size() < count) source.wait(turn_us);
        }
        EXPECT_EQ(made.size(), count);
        return made;
    }

    static std::vector<std::string> payloads(const std::vector<log::Record>& records) {
        std::vector<std::string> made;
        for (const log::Record& record : records)
            made.push_back(record.payload);
        return made;
    }

    std::unique_ptr<Way> way_;
};

TEST_P(AnyStream, GivesWhatWasPutInWithItsTopicSenderAndTime) {
    put("{}");
    const auto source = open(way_->stream(), "ingest");
    const auto records = take(*source, 1);
    ASSERT_EQ(records.size(), 1U);
    EXPECT_EQ(records[0].topic, "stator/data");
    EXPECT_EQ(records[0].sender, "7");
    EXPECT_EQ(records[0].payload, "{}");
    EXPECT_EQ(records[0].receive_unix_ms, 1'700'000'000'000);
    EXPECT_LT(records[0].offset, records[0].next);
}

TEST_P(AnyStream, KeepsTheOrderOfADevice) {
    std::vector<std::string> expected;
    for (int seq = 1; seq <= 20; ++seq) {
        expected.push_back(reading("7", seq));
        put(expected.back());
    }
    const auto source = open(way_->stream(), "ingest");
    EXPECT_EQ(payloads(take(*source, 20)), expected);
}

TEST_P(AnyStream, GoesOnFromTheCommitAndNotFromWhatWasTaken) {
    for (int seq = 1; seq <= 5; ++seq)
        put(reading("7", seq));
    {
        const auto source = open(way_->stream(), "ingest");
        const auto records = take(*source, 4);
        ASSERT_EQ(records.size(), 4U);
        ASSERT_TRUE(source->commit(records[1].next));
    }
    const auto again = open(way_->stream(), "ingest");
    EXPECT_THAT(
        payloads(take(*again, 3)), ElementsAre(reading("7", 3), reading("7", 4), reading("7", 5))
    );
}

TEST_P(AnyStream, GivesEveryReaderAllOfItsClassAndNoOther) {
    put("telemetry");
    put("alarm", log::Class::alarm);
    const auto one = open(way_->stream(), "ingest");
    const auto other = open(way_->stream(), "level2");
    const auto alarms = open(way_->stream(), "level2", log::Class::alarm);
    const auto first = take(*one, 1);
    ASSERT_TRUE(one->commit(first[0].next));
    EXPECT_THAT(payloads(take(*other, 1)), ElementsAre("telemetry"));
    EXPECT_THAT(payloads(take(*alarms, 1)), ElementsAre("alarm"));
    auto more = one->take(10);
    ASSERT_TRUE(more);
    EXPECT_THAT(*more, IsEmpty());
}

TEST_P(AnyStream, WaitsForWhatComesLaterAndLosesNothingByWaiting) {
    const auto source = open(way_->stream(), "ingest");
    auto nothing = source->take(10);
    ASSERT_TRUE(nothing) << nothing.error().what;
    EXPECT_THAT(*nothing, IsEmpty());
    source->wait(1000);
    put("first");
    put("second");
    source->wait(turn_us);
    source->wait(turn_us);
    EXPECT_THAT(payloads(take(*source, 2)), ElementsAre("first", "second"));
    EXPECT_EQ(source->missed_bytes(), 0U);
}

TEST_P(AnyStream, GivesANumberedRecordOnceAlsoWhenItIsLateAndCountsTheOthers) {
    metrics::Metrics metrics;
    OnceStream once{way_->stream(), metrics};
    for (const int seq : {1, 2, 3, 2, 3, 4, 8, 6, 6})
        put(reading("7", seq));
    put(reading("9", 3));
    put(reading("7", 1, 2));
    put(reading("7", 9));
    put("no number");
    put("no number");
    const auto source = open(once, "ingest");
    std::vector<std::string> device_7;
    std::size_t others = 0;
    for (const log::Record& record : take(*source, 11)) {
        if (record.payload.find(R"("7")") == std::string::npos) {
            ++others;
        } else {
            device_7.push_back(record.payload);
        }
    }
    EXPECT_THAT(
        device_7,
        ElementsAre(
            reading("7", 1),
            reading("7", 2),
            reading("7", 3),
            reading("7", 4),
            reading("7", 8),
            reading("7", 6),
            reading("7", 1, 2),
            reading("7", 9)
        )
    );
    EXPECT_EQ(others, 3U);
    const std::string labels = R"(reader="ingest",class="telemetry")";
    EXPECT_EQ(metrics.get("stator_stream_duplicates_total", labels), 3);
    EXPECT_EQ(metrics.get("stator_stream_late_total", labels), 2);
    EXPECT_EQ(metrics.get("stator_stream_seq_not_in_class_total", labels), 3);
}

TEST_P(AnyStream, CommitsBeyondDuplicatesThatNobodyWasGiven) {
    metrics::Metrics metrics;
    OnceStream once{way_->stream(), metrics};
    for (const int seq : {1, 2, 1, 2})
        put(reading("7", seq));
    {
        const auto source = open(once, "ingest");
        auto records = take(*source, 2);
        ASSERT_EQ(records.size(), 2U);
        ASSERT_TRUE(source->commit(records.back().next));
        // The duplicates may come behind the commit; the next new one takes it past them.
        put(reading("7", 3));
        records = take(*source, 1);
        ASSERT_EQ(records.size(), 1U);
        ASSERT_TRUE(source->commit(records.back().next));
    }
    put(reading("7", 4));
    const auto again = open(way_->stream(), "ingest");
    EXPECT_THAT(payloads(take(*again, 1)), ElementsAre(reading("7", 4)));
}

std::vector<std::string> streams() {
    std::vector<std::string> made{"log", "kafka_simulated"};
    if (!environment("STATOR_KAFKA_BOOTSTRAP").empty()) made.emplace_back("kafka_real");
    return made;
}

INSTANTIATE_TEST_SUITE_P(Streams, AnyStream, testing::ValuesIn(streams()), [](const auto& of) {
    return of.param;
});

// What is Kafka's alone.
class KafkaStreamTest : public testing::Test {
  protected:
    KafkaStreamTest() {
        options_.connection.brokers = "simulated:9092";
        options_.site = "site";
        options_.topics.at(static_cast<std::size_t>(log::Class::telemetry)) = {"data"};
    }

    void put(const std::string& payload) {
        auto producer = kafka_.producer(options_.connection);
        ASSERT_TRUE((*producer)->produce({.topic = "data", .key = "7", .value = payload}));
        ASSERT_EQ((*producer)->poll(0).size(), 1U);
    }

    kafka::SimulatedKafka kafka_{{.partitions = 3}};
    KafkaStreamOptions options_;
    KafkaStream stream_{kafka_, {}};
};

TEST_F(KafkaStreamTest, AForgedHeaderMakesNobodyTrusted) {
    kafka::Record record{.topic = "data", .key = "7", .value = "{}"};
    record.headers["stator-identity"] = "certificate";
    record.headers["stator-sender"] = "8";
    EXPECT_EQ(from_kafka(record).identity, log::Identity::vouched);
    EXPECT_EQ(from_kafka(record).sender, "8");
    record.headers.clear();
    EXPECT_EQ(from_kafka(record).sender, "7");
    EXPECT_EQ(from_kafka(record).topic, "data");
}

TEST_F(KafkaStreamTest, TheKeyIsTheDeviceThatThePayloadNamesElseTheSender) {
    log::Record record;
    record.topic = "stator/devices/7/event";
    record.sender = "console";
    record.payload = reading("7", 1);
    const kafka::Record made = to_kafka(record, "here", kafka_topic_of(record.topic));
    EXPECT_EQ(made.key, "7");
    EXPECT_EQ(made.topic, "stator.devices.event");
    EXPECT_EQ(kafka_topic_of("stator/presence/7"), "stator.presence");
    EXPECT_EQ(kafka_topic_of("control-message"), "control-message");
    EXPECT_EQ(kafka_topic_of("hall/3/pump"), "hall.3.pump");
    EXPECT_EQ(from_kafka(made).topic, record.topic);
    record.payload = "not JSON";
    EXPECT_EQ(key_of(record), "console");
}

// The example of docs/formats/kafka.md.
TEST(KafkaRecord, IsWrittenAsTheFormatsPageSays) {
    log::Record record;
    record.topic = "shaded-pole-motor-sensor_data";
    record.sender = "14333616";
    record.receive_unix_ms = 1'669'170'000'000;
    record.payload = R"({"deviceID":"14333616","boot":1,"seq":1,"current":0.61})";
    const kafka::Record made = to_kafka(record, "hall-3", kafka_topic_of(record.topic));
    std::string page = "    topic  " + made.topic + "\n    key    " + made.key + "\n    value  " +
                       made.value + "\n    time   " + std::to_string(made.unix_ms) + "\n";
    for (const auto& [name, value] : made.headers)
        page += "    " + name + ": " + value + "\n";
    std::ifstream file{STATOR_SOURCE_DIR "/docs/formats/kafka.md"};
    const std::string text{std::istreambuf_iterator<char>{file}, {}};
    ASSERT_FALSE(text.empty());
    EXPECT_NE(text.find(page), std::string::npos) << page;
}

TEST_F(KafkaStreamTest, BrokersThatAreAwayMeanNothingToTakeAndNoError) {
    KafkaStream stream{kafka_, options_};
    put("one");
    auto source = stream.open(log::Class::telemetry, {.name = "ingest"});
    ASSERT_TRUE(source);
    kafka_.set_away(true);
    auto records = (*source)->take(10);
    ASSERT_TRUE(records);
    EXPECT_THAT(*records, IsEmpty());
    kafka_.set_away(false);
    records = (*source)->take(10);
    ASSERT_TRUE(records);
    ASSERT_EQ(records->size(), 1U);
    EXPECT_TRUE((*source)->commit(records->back().next));
    EXPECT_EQ(
        kafka_.committed("site.ingest.telemetry", "data", kafka_.records("data")[0].partition), 1
    );
}

TEST_F(KafkaStreamTest, WhatKafkaDeletedUnreadIsTold) {
    KafkaStream stream{kafka_, options_};
    put("four");
    auto source = stream.open(log::Class::telemetry, {.name = "ingest"});
    ASSERT_EQ((*source)->take(1)->size(), 1U);
    put("four");
    put("four");
    put("last");
    kafka_.forget("data", kafka_.records("data")[0].partition, 3);
    ASSERT_EQ((*source)->take(10)->size(), 1U);
    EXPECT_EQ((*source)->missed_bytes(), 8U);
}

TEST_F(KafkaStreamTest, AReaderWithoutANameOrAClassWithoutTopicsIsSaid) {
    KafkaStream stream{kafka_, options_};
    auto source = stream.open(log::Class::telemetry, {});
    ASSERT_FALSE(source);
    EXPECT_THAT(source.error().what, HasSubstr("name"));
    source = stream.open(log::Class::waveform, {.name = "ingest"});
    ASSERT_FALSE(source);
    EXPECT_THAT(source.error().what, HasSubstr("waveform"));
}

TEST(Sequences, BeyondItsLimitItLetsThroughAndSaysSo) {
    Sequences sequences;
    log::Record record;
    record.topic = "t";
    record.payload = reading("7", 1);
    for (std::size_t i = 0; i < Sequences::speakers_max; ++i) {
        record.sender = std::to_string(i);
        ASSERT_TRUE(sequences.accept(record));
    }
    record.sender = "one more";
    EXPECT_TRUE(sequences.accept(record));
    EXPECT_TRUE(sequences.accept(record)) << "twice, rather than not at all";
    EXPECT_EQ(sequences.counts().unwatched, 2U);
    record.sender = "0";
    EXPECT_FALSE(sequences.accept(record));
}

}  // namespace
}  // namespace stator::stream
