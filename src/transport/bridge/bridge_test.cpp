#include "transport/bridge/bridge.h"

#include "store/log/inspect.h"
#include "store/log/writer.h"
#include "store/stream/kafka_record.h"
#include "store/stream/log_stream.h"
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

#include <set>

namespace stator::bridge {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Ge;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Le;
using testing::SizeIs;

constexpr const char* data = "shaded-pole-motor-sensor_data";
constexpr const char* control = "control-message";
constexpr const char* alert = "motor-failure-alert-level2-inference";

std::string reading(const std::string& device, int seq) {
    return fmt::format(R"({{"deviceID":"{}","boot":1,"seq":{},"current":0.5}})", device, seq);
}

// The gate's place: stores what the bridge publishes, as the gate does.
struct Storing final : mqtt::BrokerHooks {
    explicit Storing(std::unique_ptr<log::Writer>& log) : writer{log} {}

    bool connect(const mqtt::Peer& peer) override {
        ids[peer.handle] = peer.client_id;
        return true;
    }

    mqtt::Verdict subscribe(std::uint64_t /*handle*/, std::string_view /*filter*/) override {
        return mqtt::Verdict::accept;
    }

    mqtt::Verdict publish(const mqtt::Publication& publication) override {
        if (publication.payload == "refused") return mqtt::Verdict::deny;
        log::RecordView view;
        view.topic = publication.topic;
        view.sender = ids[publication.handle];
        view.payload = publication.payload;
        EXPECT_TRUE(writer->append(log::Class::control, view));
        stored.emplace_back(publication.payload);
        return mqtt::Verdict::accept;
    }

    bool deliver(std::uint64_t /*handle*/, std::string_view /*topic*/) override { return true; }

    void disconnect(std::uint64_t /*handle*/) override {}

    void tick(mqtt::Broker& /*broker*/) override {}

    std::unique_ptr<log::Writer>& writer;
    std::map<std::uint64_t, std::string> ids;
    std::vector<std::string> stored;
};

class BridgeTest : public testing::Test {
  protected:
    BridgeTest() {
        log::Budgets budgets;
        for (const log::Class pinned :
             {log::Class::telemetry, log::Class::alarm, log::Class::control})
            budgets.required.emplace_back("bridge", pinned);
        writer = log::Writer::open(disk, clock, "/log", budgets).value();
        broker.start(&hooks);
        options.site = "site";
        options.log_directory = "/log";
        options.kafka.brokers = "simulated:9092";
        options.mqtt.client_id = "bridge";
        options.down_topics = {{control, control}, {alert, alert}};
        start();
    }

    void start() { bridge = Bridge::make(doors, kafka, stream, options).value(); }

    void put(log::Class log_class, const std::string& topic, const std::string& payload) {
        log::RecordView view;
        view.receive_unix_ms = clock.unix_ms();
        view.topic = topic;
        view.sender = "7";
        view.payload = payload;
        ASSERT_TRUE(writer->append(log_class, view));
        ASSERT_TRUE(writer->sync());
    }

    bool turn() {
        while (broker.step()) {
        }
        const auto worked = bridge->step();
        EXPECT_TRUE(worked) << worked.error().what;
        clock.wait_us(1000);
        return worked && *worked;
    }

    void run(int turns = 50) {
        for (int i = 0; i < turns; ++i)
            turn();
    }

    std::vector<std::string> values(const std::string& topic) {
        std::vector<std::string> made;
        for (const kafka::Record& record : kafka.records(topic))
            made.push_back(record.value);
        return made;
    }

    void put_in_kafka(const std::string& topic, const std::string& value, kafka::Headers headers) {
        auto producer = kafka.producer(options.kafka).value();
        ASSERT_TRUE(producer->produce({.topic = topic, .value = value, .headers = headers}));
        ASSERT_THAT(producer->poll(0), SizeIs(1));
    }

    clock::VirtualClock clock{1'700'000'000'000};
    chance::SeededChance chance{3};
    disk::SimulatedDisk disk{3};
    tls::SimulatedTls tls{chance, clock};
    journal::RecordedJournal journal{clock};
    mqtt::SimulatedMqtt broker{clock, chance};
    http::SimulatedHttp http{disk, tls, clock, journal};
    database::SimulatedDatabases databases;
    doors::Doors doors{clock, disk, chance, broker, http, tls, databases, journal};
    kafka::SimulatedKafka kafka{{.record_bytes_max = 10'000}};
    std::unique_ptr<log::Writer> writer;
    stream::LogStream stream{disk, "/log"};
    Storing hooks{writer};
    Options options;
    std::unique_ptr<Bridge> bridge;
};

TEST_F(BridgeTest, everything_goes_up_in_order_keyed_by_its_device) {
    for (int seq = 1; seq <= 3000; ++seq)
        put(log::Class::telemetry, data, reading("7", seq));
    put(log::Class::alarm, alert, reading("8", 1));
    put(log::Class::control, "stator/devices/7/event", reading("7", 1));
    run();
    const auto records = kafka.records(data);
    ASSERT_THAT(records, SizeIs(3000));
    for (int seq = 1; seq <= 3000; ++seq)
        ASSERT_EQ(records[static_cast<std::size_t>(seq - 1)].value, reading("7", seq));
    EXPECT_EQ(records[0].key, "7");
    EXPECT_EQ(records[0].headers.at("stator-site"), "site");
    EXPECT_EQ(records[0].unix_ms, 1'700'000'000'000);
    EXPECT_THAT(values(alert), ElementsAre(reading("8", 1)));
    EXPECT_THAT(values("stator.devices.event"), ElementsAre(reading("7", 1)))
        << "one topic for every device's";
    EXPECT_EQ(
        bridge->metrics().get("stator_bridge_forwarded_records_total", R"(class="telemetry")"), 3000
    );
}

TEST_F(BridgeTest, nothing_is_lost_while_kafka_is_away_and_it_is_said_how_long_the_log_lasts) {
    put(log::Class::telemetry, data, reading("7", 1));
    run();
    kafka.set_away(true);
    for (int minute = 0; minute < 5; ++minute) {
        for (int i = 0; i < 60; ++i) {
            put(log::Class::telemetry, data, reading("7", 2 + 60 * minute + i));
            clock.wait_us(1'000'000);
        }
        run(5);
    }
    EXPECT_THAT(values(data), SizeIs(1));
    EXPECT_TRUE(journal.told("Kafka is away"));
    EXPECT_THAT(bridge->status(), HasSubstr("days at this rate"));
    EXPECT_GT(bridge->metrics().get("stator_bridge_autonomy_days", R"(class="telemetry")"), 1.0);
    EXPECT_EQ(bridge->metrics().get("stator_bridge_kafka_connected"), 0.0);
    kafka.set_away(false);
    clock.wait_us(3'000'000);
    run();
    EXPECT_THAT(values(data), SizeIs(301));
    EXPECT_TRUE(journal.told("Kafka is there"));
    clock.wait_us(3'000'000);
    run(1);
    EXPECT_EQ(bridge->metrics().get("stator_bridge_lag_bytes", R"(class="telemetry")"), 0.0);
}

TEST_F(BridgeTest, an_alarm_does_not_wait_behind_a_backlog_of_telemetry) {
    for (int seq = 1; seq <= 20'000; ++seq)
        put(log::Class::telemetry, data, reading("7", seq));
    run(2);
    put(log::Class::alarm, alert, reading("8", 1));
    run(5);  // the bridge's own turns are 4 ms apart
    EXPECT_THAT(values(alert), SizeIs(1));
    EXPECT_LT(values(data).size(), 20'000U) << "the backlog is still on its way";
}

TEST_F(BridgeTest, a_busy_log_goes_in_fewer_turns_a_quiet_one_at_once) {
    const auto forwarded = [this] {
        return bridge->metrics().get(
            "stator_bridge_forwarded_records_total", R"(class="telemetry")"
        );
    };
    // How many turns took 400 ms of records that come evenly.
    const auto turns_of = [&](int records_a_second) {
        int turns = 0;
        double before = forwarded();
        for (int ms = 0, seq = 0; ms < 400; ++ms) {
            for (; seq < ms * records_a_second / 1000; ++seq)
                put(log::Class::telemetry, data, reading("7", seq));
            turn();
            turns += forwarded() != before ? 1 : 0;
            before = forwarded();
        }
        run();
        return turns;
    };
    EXPECT_THAT(turns_of(100), AllOf(Ge(38), Le(40))) << "each by itself";
    EXPECT_THAT(turns_of(1000), AllOf(Ge(75), Le(130))) << "4 ms apart";
    EXPECT_THAT(turns_of(5000), AllOf(Ge(18), Le(35))) << "20 ms apart";
}

TEST_F(BridgeTest, records_that_come_close_together_on_a_quiet_log_go_at_once) {
    const auto taken = [this] {
        const std::string label = R"(class="telemetry")";
        const metrics::Metrics& told = bridge->metrics();
        return told.get("stator_bridge_forwarded_records_total", label) +
               told.get("stator_bridge_in_flight_records", label);
    };
    int seq = 0;
    for (int pair = 0; pair < 50; ++pair)
        for (const int pause_ms : {1, 9}) {  // 200 a second
            put(log::Class::telemetry, data, reading("7", ++seq));
            run(pause_ms);
            ASSERT_EQ(taken(), seq);
        }
    run();
    EXPECT_THAT(values(data), SizeIs(seq));
}

TEST_F(BridgeTest, a_quiet_log_is_committed_once_in_a_while_and_then_whole) {
    const auto commits = [this] {
        const auto places = log::list_places(disk, "/log");
        std::uint64_t generation = 0;
        for (const log::Place& place : places.value())
            if (place.log_class == log::Class::telemetry) generation = place.slot.generation;
        return generation;
    };
    run();
    const std::uint64_t before = commits();
    for (int seq = 1; seq <= 200; ++seq) {
        put(log::Class::telemetry, data, reading("7", seq));
        run(5);
    }
    EXPECT_THAT(commits() - before, AllOf(Ge(9U), Le(11U))) << "within a second";
    run(200);
    const auto lags = log::look_at_readers(disk, "/log").value();
    const auto lag = std::ranges::find_if(lags, [](const log::ReaderLag& reader) {
        return reader.place.reader == "bridge" && reader.place.log_class == log::Class::telemetry;
    });
    ASSERT_NE(lag, lags.end());
    EXPECT_EQ(lag->bytes, 0U);
}

TEST_F(BridgeTest, with_all_under_way_that_may_be_it_waits_for_kafka_and_not_for_the_log) {
    kafka.set_away(true);
    for (std::size_t seq = 1; seq <= in_flight_records_max + records_a_step; ++seq)
        put(log::Class::telemetry, data, reading("7", static_cast<int>(seq)));
    run();
    ASSERT_EQ(
        bridge->metrics().get("stator_bridge_in_flight_records", R"(class="telemetry")"),
        static_cast<double>(in_flight_records_max)
    );
    const std::int64_t before_us = clock.monotonic_us();
    bridge->wait(10'000);
    EXPECT_GT(clock.monotonic_us(), before_us) << "it would turn without a pause";
}

// The door fails as told: what a producer says of records that the brokers did not take.
struct Unsure final : kafka::Producer {
    Outcome<std::uint64_t> produce(const kafka::Record& record) override {
        if (room == 0) return fail(base::Fault::full, "full");
        --room;
        queued.push_back(record.value);
        return ++id;
    }

    std::vector<kafka::Delivery> poll(std::int64_t /*timeout_us*/) override { return {}; }

    [[nodiscard]] std::string trouble() const override { return {}; }

    int room = 1000;
    std::uint64_t id = 0;
    std::vector<std::string> queued;
};

TEST_F(BridgeTest, what_kafka_did_not_take_goes_again_in_order_and_nothing_new_before_it) {
    Unsure producer;
    Uplink uplink{
        stream.open(log::Class::telemetry, {.name = "test"}).value(), producer, {.site = "site"}
    };
    for (int seq = 1; seq <= 4; ++seq)
        put(log::Class::telemetry, data, reading("7", seq));
    ASSERT_TRUE(uplink.step());
    ASSERT_THAT(producer.queued, SizeIs(4));
    producer.queued.clear();
    put(log::Class::telemetry, data, reading("7", 5));
    EXPECT_TRUE(uplink.on_delivery({.id = 1, .stored = true}));
    EXPECT_TRUE(uplink.on_delivery({.id = 2, .again = true, .reason = "timed out"}));
    EXPECT_TRUE(uplink.on_delivery({.id = 3, .again = true, .reason = "timed out"}));
    ASSERT_TRUE(uplink.step());
    EXPECT_THAT(producer.queued, IsEmpty()) << "one answer is still to come";
    EXPECT_TRUE(uplink.on_delivery({.id = 4, .again = true, .reason = "timed out"}));
    producer.room = 1;
    ASSERT_TRUE(uplink.step());
    EXPECT_THAT(producer.queued, ElementsAre(reading("7", 2)));
    EXPECT_TRUE(uplink.on_delivery({.id = 5, .stored = true}));
    producer.room = 100;
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(uplink.step());
        for (std::uint64_t id = 6; id <= producer.id; ++id)
            (void)uplink.on_delivery({.id = id, .stored = true});
    }
    EXPECT_THAT(
        producer.queued,
        ElementsAre(reading("7", 2), reading("7", 3), reading("7", 4), reading("7", 5))
    );
    ASSERT_TRUE(uplink.step());
    EXPECT_EQ(uplink.in_flight(), 0U);
    EXPECT_EQ(uplink.counts().forwarded, 5U);
    EXPECT_EQ(uplink.counts().again, 3U);
}

TEST_F(BridgeTest, a_record_that_kafka_never_takes_is_told_and_does_not_stop_the_rest) {
    put(log::Class::telemetry, data, reading("7", 1));
    put(log::Class::telemetry, data, std::string(20'000, 'x'));
    put(log::Class::telemetry, data, reading("7", 2));
    run();
    EXPECT_THAT(values(data), ElementsAre(reading("7", 1), reading("7", 2)));
    EXPECT_TRUE(journal.told("Kafka will never take 1 of the telemetry log's"));
    EXPECT_EQ(
        bridge->metrics().get("stator_bridge_refused_records_total", R"(class="telemetry")"), 1.0
    );
}

TEST_F(BridgeTest, control_comes_down_once_and_never_goes_up_again) {
    put(log::Class::control, control, R"({"command":"own"})");
    put_in_kafka(control, R"({"command":"theirs"})", {{"stator-site", "other"}});
    put_in_kafka(control, R"({"command":"bare"})", {});
    run(300);
    EXPECT_THAT(
        hooks.stored,
        testing::UnorderedElementsAre(R"({"command":"theirs"})", R"({"command":"bare"})")
    ) << "this site's own is here already";
    EXPECT_THAT(values(control), SizeIs(3)) << "what came down did not go up again";
    EXPECT_EQ(kafka.committed("site.bridge.down", control), 3);
}

TEST_F(BridgeTest, what_the_mqtt_broker_refuses_is_told_and_passed_over) {
    put_in_kafka(control, "refused", {});
    put_in_kafka(control, "accepted", {});
    run(300);
    EXPECT_THAT(hooks.stored, ElementsAre("accepted"));
    EXPECT_TRUE(journal.told("control-message[0]:0"));
    EXPECT_EQ(kafka.committed("site.bridge.down", control), 2);
}

TEST_F(BridgeTest, nothing_that_comes_down_is_lost_while_the_mqtt_broker_is_away) {
    options.mqtt.queue_max = 5;  // publish() says full before the broker is back
    start();
    run();
    broker.kill();
    for (int i = 0; i < 20; ++i)
        put_in_kafka(control, std::to_string(i), {});
    run();
    EXPECT_EQ(kafka.committed("site.bridge.down", control), -1);
    broker.start(&hooks);
    run(20'000);
    const std::set<std::string> stored{hooks.stored.begin(), hooks.stored.end()};
    EXPECT_THAT(stored, SizeIs(20));
    EXPECT_EQ(kafka.committed("site.bridge.down", control), 20);
}

// kill -9 of the bridge after each of its turns, with answers of Kafka's that it never hears.
TEST_F(BridgeTest, killed_at_any_moment_it_loses_nothing_and_repeats_only_equal_records) {
    constexpr int records = 200;
    int next = 1;
    std::size_t repeated = 0;
    for (int kill = 0; kill < 60; ++kill) {
        for (int i = 0; i < records / 20; ++i)
            put(log::Class::telemetry, data, reading("7", next++));
        kafka.hold_answers(kill % 3 == 1);
        run(kill % 5);
        start();
    }
    kafka.hold_answers(false);
    run(200);
    std::set<std::string> seen;
    int last = 0;
    for (const std::string& value : values(data)) {
        if (!seen.insert(value).second) {
            ++repeated;
            continue;
        }
        EXPECT_EQ(value, reading("7", ++last)) << "new ones come in order";
    }
    EXPECT_EQ(last, next - 1);
    EXPECT_GT(repeated, 0U) << "the test never hit an unheard answer";
}

}  // namespace
}  // namespace stator::bridge
