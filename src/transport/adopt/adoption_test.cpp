#include "transport/adopt/adoption.h"

#include "shared/wire/messages.h"
#include "store/devices/rights.h"
#include "transport/adopt/foreign_broker_test.h"
#include "transport/gate/gate.h"
#include "transport/gate/log_storage.h"
#include "world/chance/seeded.h"
#include "world/clock/virtual.h"
#include "world/database/sqlite.h"
#include "world/disk/simulated.h"
#include "world/http/simulated.h"
#include "world/journal/recorded.h"
#include "world/kafka/simulated.h"
#include "world/mqtt/simulated.h"
#include "world/tls/simulated.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <map>
#include <optional>
#include <set>
#include <tuple>

namespace stator::adopt {
namespace {

using testing::HasSubstr;

constexpr std::string_view map_text = R"([broker.hall]
url = "mqtt://hall.example"
username = "stator"
password_file = "/hall.password"
[[source]]
broker = "hall"
topic = "plant/{pump}/state"
device = "{pump}"
  [[source.channel]]
  name = "current"
  path = "$.i"
  unit = "mA"
[[source]]
broker = "hall"
topic = "plant/{pump}/score"
device = "{pump}"
inference = "$"
)";

// Everything that the gate appends also lands in memory, in order.
class Watched final : public gate::Storage {
  public:
    Watched(
        gate::Storage& inner, std::vector<log::Record>& records, std::vector<log::Class>& classes
    )
        : inner_{inner}, records_{records}, classes_{classes} {}

    Outcome<void> append(
        log::Class log_class, const log::RecordView& record, const gate::Mark* mark
    ) override {
        auto done = inner_.append(log_class, record, mark);
        if (!done) return done;
        classes_.push_back(log_class);
        records_.push_back(
            {.offset = {},
             .next = {},
             .receive_unix_ms = record.receive_unix_ms,
             .identity = record.identity,
             .topic = std::string{record.topic},
             .sender = std::string{record.sender},
             .payload = std::string{record.payload}}
        );
        return done;
    }

    void begin_sync() override { inner_.begin_sync(); }

    gate::Sync poll_sync() override { return inner_.poll_sync(); }

    std::vector<gate::Mark> marks() override { return inner_.marks(); }

    double fill(log::Class log_class) override { return inner_.fill(log_class); }

    void maintain() override { inner_.maintain(); }

  private:
    gate::Storage& inner_;
    std::vector<log::Record>& records_;
    std::vector<log::Class>& classes_;
};

class AdoptionTest : public testing::Test {
  protected:
    explicit AdoptionTest(std::uint64_t seed = 7) : chance{seed} {
        EXPECT_TRUE(disk.make_directories("/log"));
        EXPECT_TRUE(disk.make_directories("/state/registry"));
        EXPECT_TRUE(disk.replace("/map.toml", map_text));
        EXPECT_TRUE(disk.replace("/hall.password", "secret\n"));
        EXPECT_TRUE(devices::save_rights(
            disk,
            "/state/registry/rights",
            {.generation = 1, .devices = {{"own-1", "actor", devices::State::active, {}}}}
        ));
        mqtt.set_identity("/adopt.pem", {.uri = "urn:stator:adopter:adopt", .serial = "AB"});
        start_gate();
        start();
    }

    void start_gate() {
        auto opened = gate::LogStorage::open(disk, clock, journal, {runner, runner}, "/log", {});
        ASSERT_TRUE(opened) << opened.error().what;
        storage = std::move(*opened);
        watched.emplace(*storage, stored, classes);
        the_gate.emplace(*watched, rights, clock, journal);
    }

    // kill -9 of our broker with the gate in it, and its start.
    void kill_gate() {
        mqtt.kill();
        the_gate.reset();
        storage.reset();
        start_gate();
        mqtt.start(&*the_gate);
    }

    // A fresh process on what the disk and the brokers know.
    void start() {
        adoption.reset();
        Options options;
        options.map_file = "/map.toml";
        options.log_directory = "/log";
        options.mqtt.client_id = "adopt";
        options.mqtt.credentials = {"/ca.pem", "/adopt.pem", "/adopt.key", "", ""};
        auto made = Adoption::make(doors, {.mqtt = &foreign, .kafka = &kafka}, options);
        ASSERT_TRUE(made) << made.error().what;
        adoption = std::move(*made);
    }

    void run(int steps) {
        for (int i = 0; i < steps; ++i) {
            const auto done = adoption->step();
            ASSERT_TRUE(done) << done.error().what;
            mqtt.step();
            clock.wait_us(1000);
        }
    }

    [[nodiscard]] std::vector<const log::Record*> on(std::string_view topic) const {
        std::vector<const log::Record*> made;
        for (const log::Record& record : stored)
            if (record.topic == topic) made.push_back(&record);
        return made;
    }

    clock::VirtualClock clock{1'763'000'000'000};
    chance::SeededChance chance;
    disk::SimulatedDisk disk{7};
    tls::SimulatedTls tls{chance, clock};
    journal::RecordedJournal journal{clock};
    mqtt::SimulatedMqtt mqtt{clock, chance};
    http::SimulatedHttp http{disk, tls, clock, journal};
    database::SimulatedDatabases databases;
    doors::Doors doors{clock, disk, chance, mqtt, http, tls, databases, journal};
    gate::RunAtOnce runner;
    devices::RightsReader rights{disk, "/state/registry/rights"};
    std::vector<log::Record> stored;
    std::vector<log::Class> classes;
    std::unique_ptr<gate::LogStorage> storage;
    std::optional<Watched> watched;
    std::optional<gate::Gate> the_gate;
    ForeignBroker foreign;
    kafka::SimulatedKafka kafka{{.partitions = 2}};
    std::unique_ptr<Adoption> adoption;
};

constexpr std::string_view data_topic = "shaded-pole-motor-sensor_data";
constexpr std::string_view level1_topic = "motor-anomaly-level1-inference";

TEST_F(AdoptionTest, AForeignMessageIsStoredAsVouchedInOurUnitsBeforeItIsAcknowledged) {
    mqtt.set_hooks(&*the_gate);
    bool acknowledged = false;
    foreign.on_acknowledged = [&](const mqtt::Message&) {
        acknowledged = true;
        EXPECT_EQ(on(data_topic).size(), 1U);
    };
    foreign.publish("plant/p7/state", R"({"i":610})");
    run(100);
    EXPECT_TRUE(acknowledged);
    ASSERT_EQ(on(data_topic).size(), 1U);
    const log::Record& record = *on(data_topic).front();
    EXPECT_EQ(record.identity, log::Identity::vouched);
    EXPECT_EQ(record.sender, "adopt");
    const auto telemetry = wire::decode_telemetry(record.payload);
    ASSERT_TRUE(telemetry);
    EXPECT_EQ(telemetry->device.view(), "p7");
    EXPECT_FLOAT_EQ(wire::find(telemetry->channels, "current").value_or(0), 0.61F);
    EXPECT_EQ(telemetry->seq, 1U);
    EXPECT_EQ(foreign.connection.credentials.password, "secret");
    EXPECT_THAT(foreign.filters, testing::ElementsAre("plant/+/state", "plant/+/score"));
}

TEST_F(AdoptionTest, NothingIsAcknowledgedWhileOurGateIsAway) {
    mqtt.set_hooks(&*the_gate);
    run(50);
    mqtt.kill();
    int acknowledged = 0;
    foreign.on_acknowledged = [&](const mqtt::Message&) { ++acknowledged; };
    for (int i = 0; i < 20; ++i)
        foreign.publish("plant/p7/state", fmt::format(R"({{"i":{}}})", i));
    run(2000);
    EXPECT_EQ(acknowledged, 0);
    mqtt.start(&*the_gate);
    run(12'000);
    EXPECT_EQ(acknowledged, 20);
    EXPECT_EQ(on(data_topic).size(), 20U);
}

TEST_F(AdoptionTest, WhatTheMapCannotReadOrTheGateNeverTakesIsToldAndLetGoOf) {
    mqtt.set_hooks(&*the_gate);
    foreign.publish("plant/p7/state", "no JSON");
    foreign.publish("plant/own-1/state", R"({"i":1})");     // enrolled here: speaks for itself
    foreign.publish("plant/own-1/score", "0.99");           // and another's alarm on it is no alarm
    foreign.publish("plant/p7/state", R"({"i":1})", true);  // retained: no news
    run(200);
    EXPECT_TRUE(foreign.drained());
    EXPECT_TRUE(on(data_topic).empty());
    EXPECT_TRUE(on(level1_topic).empty());
    EXPECT_EQ(adoption->metrics().get("stator_adopt_unmapped_total", "broker=\"hall\""), 1);
    EXPECT_EQ(adoption->metrics().get("stator_adopt_refused_total", "broker=\"hall\""), 2);
    EXPECT_EQ(adoption->metrics().get("stator_adopt_received_total", "broker=\"hall\""), 4);
}

TEST_F(AdoptionTest, AForeignAlarmIsKeptAmongAlarmsAndNothingElseEntersTheLog) {
    mqtt.set_hooks(&*the_gate);
    foreign.publish("plant/p7/score", "0.99");
    foreign.publish("plant/p7/score", "0.1");
    run(200);
    ASSERT_EQ(on(level1_topic).size(), 2U);
    EXPECT_THAT(on(level1_topic)[0]->payload, HasSubstr(R"("alarm":true)"));
    EXPECT_THAT(on(level1_topic)[1]->payload, HasSubstr(R"("event":"cleared")"));
    for (std::size_t i = 0; i < stored.size(); ++i) {
        if (stored[i].identity == log::Identity::vouched) {
            EXPECT_EQ(classes[i], log::Class::alarm);
            continue;
        }
        // The gate's own word that we are connected, and no command, control or event.
        EXPECT_EQ(stored[i].identity, log::Identity::self);
        EXPECT_EQ(stored[i].topic, "stator/presence/adopt");
    }
}

constexpr std::string_view kafka_map = R"([broker.lake]
url = "kafka://k:9092"
[[source]]
broker = "lake"
topic = "pumps"
device = "{key}"
  [[source.channel]]
  name = "current"
  path = "$.i"
  unit = "mA"
)";

TEST_F(AdoptionTest, AnOffsetOfKafkaIsCommittedOnlyAfterTheAppendAndARepetitionIsKnownByIt) {
    mqtt.set_hooks(&*the_gate);
    mqtt.set_link({.delay_us = 300, .cut_chance = 0.01, .lost_acknowledgement_chance = 0.01});
    ASSERT_TRUE(disk.replace("/map.toml", kafka_map));
    auto producer = kafka.producer({.brokers = "k:9092"});
    ASSERT_TRUE(producer);
    constexpr int total = 200;
    for (int i = 0; i < total; ++i)
        ASSERT_TRUE((*producer)->produce(
            {.topic = "pumps",
             .key = fmt::format("p{}", i % 4),
             .value = fmt::format(R"({{"i":{}}})", i),
             .unix_ms = 1'700'000'000'000 + i}
        ));
    static_cast<void>((*producer)->poll(0));
    const auto committed = [&] {
        std::int64_t records = 0;
        for (const std::int32_t partition : {0, 1})
            records +=
                std::max<std::int64_t>(kafka.committed("stator-lake", "pumps", partition), 0);
        return records;
    };
    std::set<std::string> there;
    for (int round = 0; round < 400 && committed() < total; ++round) {
        if (round % 5 == 0) start();
        run(20);
        for (const log::Record* record : on(data_topic))
            there.insert(record->payload);
        ASSERT_LE(committed(), static_cast<std::int64_t>(there.size()));
    }
    EXPECT_EQ(committed(), total);
    // One text a record, however often it came: device, boot, seq and all.
    EXPECT_EQ(there.size(), static_cast<std::size_t>(total));
    EXPECT_GT(on(data_topic).size(), there.size()) << "nothing was repeated";
}

// Whatever is killed or cut at any moment: each acknowledged message is in the log, and what is
// there twice has one (device, boot, seq), which no other message has.
class AdoptionUnderKills : public AdoptionTest, public testing::WithParamInterface<int> {
  protected:
    AdoptionUnderKills() : AdoptionTest{static_cast<std::uint64_t>(GetParam())} {}
};

TEST_P(AdoptionUnderKills, LosesNothingAndTellsTwiceUnderOneNumber) {
    mqtt.set_hooks(&*the_gate);
    mqtt.set_link({.delay_us = 300, .cut_chance = 0.002, .lost_acknowledgement_chance = 0.01});
    std::set<std::string> acknowledged;
    foreign.on_acknowledged = [&](const mqtt::Message& message) {
        const double value = std::stod(message.payload.substr(5));
        const std::string wanted = fmt::format(R"("current":{},)", static_cast<float>(value / 1e3));
        const bool is_stored = std::ranges::any_of(stored, [&](const log::Record& record) {
            return record.payload.find(wanted) != std::string::npos;
        });
        EXPECT_TRUE(is_stored) << message.payload;
        acknowledged.insert(message.payload);
    };
    int sent = 0;
    int lives = 1;
    while (sent < 150) {
        for (auto n = chance.below(4); n > 0; --n, ++sent)
            foreign.publish(
                fmt::format("plant/p{}/state", sent % 3), fmt::format(R"({{"i":{}}})", 1000 + sent)
            );
        run(static_cast<int>(1 + chance.below(8)));
        const auto what = chance.below(40);
        if (what < 4) {
            start();
            ++lives;
        } else if (what < 7) {
            foreign.cut();
        } else if (what == 7) {
            kill_gate();
        }
    }
    for (int i = 0; i < 60 && !foreign.drained(); ++i)
        run(1000);
    EXPECT_TRUE(foreign.drained());
    EXPECT_EQ(acknowledged.size(), static_cast<std::size_t>(sent));
    EXPECT_GT(lives, 1);
    std::map<std::tuple<std::string, std::uint32_t, std::uint64_t>, float> numbers;
    std::map<float, std::tuple<std::string, std::uint32_t, std::uint64_t>> values;
    for (const log::Record* record : on(data_topic)) {
        const auto it = wire::decode_telemetry(record->payload);
        ASSERT_TRUE(it);
        const float value = wire::find(it->channels, "current").value_or(-1);
        const std::tuple number{std::string{it->device.view()}, *it->boot, *it->seq};
        EXPECT_EQ(numbers.try_emplace(number, value).first->second, value);
        EXPECT_EQ(values.try_emplace(value, number).first->second, number);
    }
    EXPECT_EQ(values.size(), static_cast<std::size_t>(sent));
}

INSTANTIATE_TEST_SUITE_P(Seeds, AdoptionUnderKills, testing::Range(1, 41));

}  // namespace
}  // namespace stator::adopt
