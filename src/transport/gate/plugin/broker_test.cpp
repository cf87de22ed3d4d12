// One suite over two brokers: the real Mosquitto with the gate's module, and the simulated broker
// with the gate's class. What is promised of one is promised of the other.
#include "transport/gate/plugin/broker_worlds.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>

namespace stator::gate {

namespace {

using mqtt::Event;

struct Party {  // a client and all that happened to it
    std::unique_ptr<mqtt::Client> client;
    std::vector<Event> events;

    [[nodiscard]] long count(Event::Kind kind) const {
        return std::ranges::count_if(events, [&](const Event& e) { return e.kind == kind; });
    }

    [[nodiscard]] bool heard(const std::string& payload) const {
        return std::ranges::any_of(events, [&](const Event& e) {
            return e.kind == Event::Kind::message && e.message.payload == payload;
        });
    }
};

class Broker : public testing::TestWithParam<bool> {
  protected:
    void SetUp() override {
        if (GetParam())
            world = std::make_unique<RealWorld>();
        else
            world = std::make_unique<SimulatedWorld>();
        world->write_rights(usual_rights());
        world->start();
    }

    void TearDown() override { parties.clear(); }

    Party& join(
        const std::string& role,
        const std::string& id,
        const std::function<void(mqtt::Options&)>& change = [](mqtt::Options&) {}
    ) {
        mqtt::Options options = world->options(role, id);
        change(options);
        parties.push_back(std::make_unique<Party>());
        parties.back()->client = std::move(*world->mqtt().connect(options));
        return *parties.back();
    }

    bool wait(const std::function<bool()>& until, std::int64_t us_max = 15'000'000) {
        const std::int64_t deadline_us = world->now_us() + us_max;
        while (!until()) {
            if (world->now_us() > deadline_us) return false;
            for (auto& party : parties)
                if (party->client != nullptr)
                    std::ranges::move(party->client->poll(), std::back_inserter(party->events));
            world->pass();
        }
        return true;
    }

    bool wait_for(Party& party, Event::Kind kind, long count = 1) {
        return wait([&] { return party.count(kind) >= count; });
    }

    std::unique_ptr<World> world;
    std::vector<std::unique_ptr<Party>> parties;
};

void old_protocol(mqtt::Options& options) {
    options.protocol_version = 4;
}

void once(mqtt::Options& options) {
    options.reconnect = false;
}

TEST_P(Broker, admits_the_active_and_refuses_the_others) {
    Party& good = join("sensor", "7");
    EXPECT_TRUE(wait_for(good, Event::Kind::connected));
    for (const char* id : {"9", "10"}) {
        Party& bad = join("sensor", id, once);
        EXPECT_TRUE(wait_for(bad, Event::Kind::disconnected)) << id;
        EXPECT_EQ(bad.count(Event::Kind::connected), 0) << id;
    }
    Party& thief = join("actor", "8", [](mqtt::Options& options) {
        options.client_id = "7";
        options.reconnect = false;
    });
    EXPECT_TRUE(wait_for(thief, Event::Kind::disconnected));
    EXPECT_TRUE(good.client->connected()) << "nobody takes over another's id";
}

TEST_P(Broker, has_stored_what_it_acknowledges) {
    for (const int version : {4, 5})
        for (const int qos : {0, 1, 2}) {
            Party& party =
                join("sensor", "7", [&](mqtt::Options& o) { o.protocol_version = version; });
            const std::string text =
                R"({"deviceID":"7","boot":1,"seq":)" + std::to_string(version * 10 + qos) + "}";
            ASSERT_TRUE(party.client->publish({data_topic, text, qos, false}));
            ASSERT_TRUE(wait_for(party, Event::Kind::acknowledged));
            const auto is_among = [&](const std::vector<log::Record>& records) {
                return std::ranges::any_of(records, [&](const log::Record& r) {
                    return r.payload == text && r.sender == "7";
                });
            };
            if (qos != 0) {
                EXPECT_TRUE(is_among(world->stored_if_killed(log::Class::telemetry)))
                    << version << " " << qos;
            }
            EXPECT_TRUE(wait([&] { return is_among(world->stored(log::Class::telemetry)); }));
            party.client->disconnect();
        }
}

TEST_P(Broker, denies_under_5_and_ends_the_connection_under_3_1_1) {
    Party& young = join("sensor", "7", once);
    ASSERT_TRUE(young.client->publish({data_topic, R"({"deviceID":"8"})", 1, false}));
    EXPECT_TRUE(wait_for(young, Event::Kind::refused));
    EXPECT_TRUE(young.client->connected());
    Party& old = join("actor", "8", [](mqtt::Options& o) {
        old_protocol(o);
        once(o);
    });
    ASSERT_TRUE(old.client->publish({"control-message", "{}", 1, false}));
    EXPECT_TRUE(wait_for(old, Event::Kind::disconnected));
    EXPECT_EQ(old.count(Event::Kind::acknowledged), 0);
    EXPECT_TRUE(world->stored(log::Class::telemetry).empty());
}

TEST_P(Broker, never_acknowledges_what_is_too_large) {
    for (const int version : {4, 5}) {
        Party& party = join("sensor", "7", [&](mqtt::Options& o) {
            o.protocol_version = version;
            o.reconnect = false;
        });
        const std::string text = R"({"a":")" + std::string(200'000, 'x') + "\"}";
        ASSERT_TRUE(wait_for(party, Event::Kind::connected));
        ASSERT_TRUE(party.client->publish({data_topic, text, 1, false}));
        EXPECT_TRUE(wait([&] {
            return party.count(Event::Kind::disconnected) + party.count(Event::Kind::refused) > 0;
        }));
        EXPECT_EQ(party.count(Event::Kind::acknowledged), 0);
        party.client->disconnect();
    }
}

TEST_P(Broker, denies_subscriptions_and_delivers_only_what_may_be_read) {
    Party& spy = join("sensor", "7");
    Party& viewer = join("viewer", "v");
    for (const char* filter : {"#", "stator/devices/8/command", data_topic, "stator/+/7"})
        ASSERT_TRUE(spy.client->subscribe(filter, 1));
    EXPECT_TRUE(wait_for(spy, Event::Kind::refused, 4));
    ASSERT_TRUE(viewer.client->subscribe("#", 1));
    ASSERT_TRUE(spy.client->subscribe("control-message", 1));
    wait([] { return false; }, 300'000);
    Party& service = join("service", "rollout");
    ASSERT_TRUE(service.client->publish({"control-message", "{}", 1, false}));
    ASSERT_TRUE(service.client->publish({"stator/devices/8/command", R"({"c":1})", 1, false}));
    EXPECT_TRUE(wait([&] { return spy.heard("{}") && viewer.heard(R"({"c":1})"); }));
    EXPECT_FALSE(spy.heard(R"({"c":1})"));
}

TEST_P(Broker, stores_a_will_and_the_presence) {
    const std::string will = R"({"deviceID":"7","note":"last"})";
    Party& party = join("sensor", "7", [&](mqtt::Options& o) {
        o.will = mqtt::Message{data_topic, will, 1, false};
    });
    ASSERT_TRUE(wait_for(party, Event::Kind::connected));
    party.client.reset();  // without a good-bye
    const auto find = [&](log::Class log_class, const std::string& part) {
        return std::ranges::any_of(world->stored(log_class), [&](const log::Record& r) {
            return r.payload.find(part) != std::string::npos;
        });
    };
    EXPECT_TRUE(wait([&] { return find(log::Class::telemetry, "last"); }));
    EXPECT_TRUE(find(log::Class::control, R"("state":"online")"));
    EXPECT_TRUE(wait([&] { return find(log::Class::control, R"("state":"offline")"); }));
}

TEST_P(Broker, a_takeover_by_the_same_device_ends_its_first_connection) {
    Party& first = join("sensor", "7", once);
    ASSERT_TRUE(wait_for(first, Event::Kind::connected));
    Party& second = join("sensor", "7");
    EXPECT_TRUE(wait_for(first, Event::Kind::disconnected));
    EXPECT_TRUE(wait_for(second, Event::Kind::connected));
}

TEST_P(Broker, tells_stored_marks_also_after_it_was_killed) {
    Party& party = join("sensor", "7");
    ASSERT_TRUE(party.client->subscribe("stator/devices/7/stored", 1));
    for (const char* seq : {"1", "2", "3"})
        ASSERT_TRUE(party.client->publish(
            {data_topic, std::string{R"({"deviceID":"7","boot":4,"seq":)"} + seq + "}", 1, false}
        ));
    const std::string mark = R"({"boot":4,"seq":3,"hold":false})";
    ASSERT_TRUE(wait([&] { return party.heard(mark); }));
    world->kill();
    party.events.clear();
    world->start();
    EXPECT_TRUE(wait([&] { return party.heard(mark); }));
}

TEST_P(Broker, disconnects_a_revoked_device_within_two_seconds) {
    Party& party = join("sensor", "7");
    ASSERT_TRUE(wait_for(party, Event::Kind::connected));
    devices::Rights rights = usual_rights();
    rights.generation = 2;
    rights.devices[0].state = devices::State::revoked;
    world->write_rights(rights);
    EXPECT_TRUE(wait([&] { return party.count(Event::Kind::disconnected) > 0; }, 2'000'000));
    wait([] { return false; }, 1'000'000);
    EXPECT_FALSE(party.client->connected());
}

TEST_P(Broker, keeps_commands_for_a_device_that_is_away_and_what_is_retained) {
    const auto durable = [](mqtt::Options& o) { o.clean_session = false; };
    Party& device = join("actor", "8", durable);
    ASSERT_TRUE(device.client->subscribe("stator/devices/8/command", 1));
    ASSERT_TRUE(wait_for(device, Event::Kind::connected));
    wait([] { return false; }, 300'000);
    device.client->disconnect();
    Party& service = join("service", "rollout");
    ASSERT_TRUE(service.client->publish({"stator/devices/8/command", R"({"n":1})", 1, false}));
    ASSERT_TRUE(service.client->publish({"control-message", R"({"n":2})", 1, true}));
    ASSERT_TRUE(wait_for(service, Event::Kind::acknowledged, 2));
    Party& again = join("actor", "8", durable);
    ASSERT_TRUE(again.client->subscribe("control-message", 1));
    EXPECT_TRUE(wait([&] { return again.heard(R"({"n":1})") && again.heard(R"({"n":2})"); }));
}

TEST_P(Broker, loses_nothing_acknowledged_when_it_is_killed_under_load) {
    const char* const wanted = std::getenv("STATOR_LONG");
    const int rounds = wanted != nullptr && std::string{wanted} == "1" ? 200 : 5;
    std::set<std::string> acknowledged;
    std::vector<std::map<std::uint64_t, std::string>> waiting(4);
    std::vector<std::size_t> taken(4, 0);
    std::vector<Party*> senders;
    for (const char* name : {"a", "b", "c", "d"})
        senders.push_back(&join("service", name));
    std::uint64_t number = 0;
    for (int round = 0; round < rounds; ++round) {
        const std::int64_t end_us = world->now_us() + 300'000;
        const std::size_t before = acknowledged.size();
        // At least one acknowledgement a round, or the kill proves nothing.
        ASSERT_TRUE(wait(
            [&] {
                for (std::size_t i = 0; i < senders.size(); ++i) {
                    while (waiting[i].size() < 40) {
                        const std::string text =
                            R"({"deviceID":"7","n":)" + std::to_string(++number) + "}";
                        const auto id = senders[i]->client->publish({data_topic, text, 1, false});
                        if (!id) break;
                        waiting[i][*id] = std::to_string(number);
                    }
                    auto& events = senders[i]->events;
                    for (; taken[i] < events.size(); ++taken[i]) {
                        if (events[taken[i]].kind != Event::Kind::acknowledged) continue;
                        acknowledged.insert(waiting[i][events[taken[i]].id]);
                        waiting[i].erase(events[taken[i]].id);
                    }
                }
                return world->now_us() > end_us && acknowledged.size() > before + 20;
            },
            30'000'000
        ));
        world->kill();
        world->start();
    }
    std::set<std::string> found;
    for (const log::Record& record : world->stored(log::Class::telemetry)) {
        const std::size_t at = record.payload.find("\"n\":") + 4;
        found.insert(record.payload.substr(at, record.payload.find('}') - at));
    }
    std::size_t missing = 0;
    for (const std::string& one : acknowledged)
        missing += found.contains(one) ? 0U : 1U;
    EXPECT_EQ(missing, 0U) << "of " << acknowledged.size();
    RecordProperty("acknowledged", static_cast<int>(acknowledged.size()));
}

INSTANTIATE_TEST_SUITE_P(Both, Broker, testing::Bool(), [](const auto& one) {
    return one.param ? "mosquitto" : "simulated";
});

}  // namespace

}  // namespace stator::gate
