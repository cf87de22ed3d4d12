#include "world/mqtt/simulated.h"

#include "world/chance/seeded.h"
#include "world/clock/virtual.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <tuple>

namespace stator::mqtt {

namespace {

// Records what it is asked, and answers as told.
struct Recorder final : BrokerHooks {
    bool connect(const Peer& peer) override {
        asked.push_back("connect " + peer.client_id);
        return admit;
    }

    Verdict subscribe(std::uint64_t /*handle*/, std::string_view filter) override {
        asked.push_back("subscribe " + std::string{filter});
        return on_subscribe;
    }

    Verdict publish(const Publication& publication) override {
        asked.push_back("publish " + std::string{publication.payload});
        return on_publish;
    }

    bool deliver(std::uint64_t /*handle*/, std::string_view /*topic*/) override { return true; }

    void disconnect(std::uint64_t /*handle*/) override { asked.emplace_back("disconnect"); }

    void tick(Broker& broker) override {
        ++ticks;
        if (!to_send.empty()) broker.publish_to(to_send, "note", "hello", 1);
        to_send.clear();
    }

    [[nodiscard]] long count(const std::string& what) const {
        return std::count(asked.begin(), asked.end(), what);
    }

    bool admit = true;
    Verdict on_publish = Verdict::accept;
    Verdict on_subscribe = Verdict::accept;
    std::string to_send;
    int ticks = 0;
    std::vector<std::string> asked;
};

class SimulatedBroker : public testing::Test {
  protected:
    std::unique_ptr<Client> join(const std::string& id, Options options = {}) {
        options.client_id = id;
        return std::move(*mqtt.connect(std::move(options)));
    }

    // Runs for a while; collects the events of `client`.
    std::vector<Event> run(Client& client, std::int64_t duration_us = 20'000) {
        std::vector<Event> all;
        for (std::int64_t us = 0; us < duration_us; us += 100) {
            for (Event& event : client.poll())
                all.push_back(std::move(event));
            mqtt.step();
            clock.wait_us(100);
        }
        return all;
    }

    static long count(const std::vector<Event>& events, Event::Kind kind) {
        return std::ranges::count(events, kind, &Event::kind);
    }

    clock::VirtualClock clock{1'700'000'000'000};
    chance::SeededChance chance{7};
    Recorder hooks;
    SimulatedMqtt mqtt{clock, chance};

    void SetUp() override { mqtt.set_hooks(&hooks); }
};

TEST_F(SimulatedBroker, acknowledges_after_it_asked_the_hook) {
    const auto client = join("a");
    const auto id = client->publish({"t", "1", 1, false});
    const auto events = run(*client);
    ASSERT_EQ(count(events, Event::Kind::acknowledged), 1);
    EXPECT_EQ(events.back().id, *id);
    EXPECT_EQ(hooks.count("publish 1"), 1);
}

TEST_F(SimulatedBroker, a_lost_acknowledgement_makes_the_hook_see_a_duplicate) {
    for (const int qos : {1, 2}) {
        Recorder fresh;
        mqtt.set_hooks(&fresh);
        const auto client = join("a");
        run(*client);
        mqtt.set_link({200, 0.0, 1.0});
        ASSERT_TRUE(client->publish({"t", "1", qos, false}));
        run(*client, 2'000);
        mqtt.set_link({});
        const auto events = run(*client, 1'000'000);
        EXPECT_EQ(count(events, Event::Kind::acknowledged), 1);
        EXPECT_EQ(fresh.count("publish 1"), 2);
        mqtt.set_hooks(&hooks);
    }
}

TEST_F(SimulatedBroker, a_denial_is_acknowledged_under_3_1_1_and_refused_under_5) {
    hooks.on_publish = Verdict::deny;
    const auto old = join("old", {.protocol_version = 4});
    const auto young = join("young", {.protocol_version = 5});
    ASSERT_TRUE(old->publish({"t", "1", 1, false}));
    ASSERT_TRUE(young->publish({"t", "2", 1, false}));
    run(*young, 5000);
    EXPECT_EQ(count(run(*old), Event::Kind::acknowledged), 1);
    ASSERT_TRUE(young->publish({"t", "3", 1, false}));
    const auto events = run(*young);
    EXPECT_EQ(count(events, Event::Kind::acknowledged), 0);
    EXPECT_EQ(count(events, Event::Kind::refused), 1);
}

TEST_F(SimulatedBroker, a_dropped_publish_is_not_acknowledged_and_ends_the_connection) {
    hooks.on_publish = Verdict::drop;
    const auto client = join("a", {.reconnect = false});
    ASSERT_TRUE(client->publish({"t", "1", 1, false}));
    const auto events = run(*client);
    EXPECT_EQ(count(events, Event::Kind::acknowledged), 0);
    EXPECT_EQ(count(events, Event::Kind::disconnected), 1);
    EXPECT_FALSE(client->connected());
}

TEST_F(SimulatedBroker, a_will_is_asked_for_after_the_disconnect) {
    const auto client =
        join("a", {.will = Message{"t", "last words", 1, false}, .reconnect = false});
    run(*client);
    mqtt.set_link({200, 1.0, 0.0});
    ASSERT_TRUE(client->publish({"t", "1", 1, false}));
    run(*client);
    ASSERT_GE(hooks.asked.size(), 2U);
    EXPECT_EQ(hooks.asked.back(), "publish last words");
    EXPECT_EQ(hooks.asked[hooks.asked.size() - 2], "disconnect");
}

TEST_F(SimulatedBroker, a_good_bye_has_no_will) {
    const auto client = join("a", {.will = Message{"t", "last words", 1, false}});
    run(*client);
    client->disconnect();
    run(*client);
    EXPECT_EQ(hooks.asked.back(), "disconnect");
}

TEST_F(SimulatedBroker, a_second_client_of_one_id_ends_the_first) {
    const auto first = join("a", {.reconnect = false});
    run(*first);
    const auto second = join("a");
    run(*second);
    EXPECT_EQ(count(run(*first), Event::Kind::disconnected), 1);
    EXPECT_TRUE(second->connected());
    EXPECT_FALSE(first->connected());
}

TEST_F(SimulatedBroker, a_session_that_is_not_clean_queues_up_to_its_limit) {
    SimulatedMqtt small{clock, chance, {.queued_max = 3}};
    auto reader = *small.connect({.client_id = "r", .clean_session = false});
    auto writer = *small.connect({.client_id = "w"});
    const auto run_both = [&](std::int64_t us, Client& one, Client* two) {
        std::vector<Event> all;
        for (std::int64_t t = 0; t < us; t += 100) {
            for (Event& event : one.poll())
                all.push_back(std::move(event));
            if (two != nullptr) std::ignore = two->poll();
            small.step();
            clock.wait_us(100);
        }
        return all;
    };
    ASSERT_TRUE(reader->subscribe("t", 1));
    run_both(5000, *reader, nullptr);
    reader->disconnect();
    for (const char* text : {"1", "2", "3", "4", "5"})
        ASSERT_TRUE(writer->publish({"t", text, 1, false}));
    run_both(20'000, *writer, nullptr);
    EXPECT_EQ(small.dropped_total(), 2U);
    reader = *small.connect({.client_id = "r", .clean_session = false});
    std::set<std::string> got;
    for (const Event& event : run_both(20'000, *reader, nullptr))
        if (event.kind == Event::Kind::message) got.insert(event.message.payload);
    EXPECT_EQ(got, (std::set<std::string>{"1", "2", "3"}));
}

TEST_F(SimulatedBroker, a_retained_message_waits_for_its_reader) {
    const auto writer = join("w");
    ASSERT_TRUE(writer->publish({"t", "kept", 1, true}));
    run(*writer);
    const auto reader = join("r");
    ASSERT_TRUE(reader->subscribe("t", 1));
    const auto events = run(*reader);
    ASSERT_EQ(count(events, Event::Kind::message), 1);
    EXPECT_TRUE(events.back().message.retain);
}

TEST_F(SimulatedBroker, a_refused_client_backs_off_and_comes_in_when_it_may) {
    hooks.admit = false;
    const auto client = join("a");
    run(*client, 1'000'000);
    const long tries = hooks.count("connect a");
    EXPECT_GE(tries, 2);
    EXPECT_LE(tries, 6);
    hooks.admit = true;
    run(*client, 10'000'000);
    EXPECT_TRUE(client->connected());
}

TEST_F(SimulatedBroker, a_kill_loses_nothing_that_the_client_still_holds) {
    const auto client = join("a");
    run(*client);
    for (int i = 0; i < 100; ++i)
        ASSERT_TRUE(client->publish({"t", std::to_string(i), 1, false}));
    auto events = run(*client, 1000);
    mqtt.kill();
    for (Event& event : run(*client, 500'000))
        events.push_back(std::move(event));
    mqtt.start(&hooks);
    for (Event& event : run(*client, 20'000'000))
        events.push_back(std::move(event));
    EXPECT_EQ(count(events, Event::Kind::acknowledged), 100);
    for (int i = 0; i < 100; ++i)
        EXPECT_GE(hooks.count("publish " + std::to_string(i)), 1);
}

TEST_F(SimulatedBroker, a_tick_may_publish_to_a_client_that_did_not_subscribe) {
    const auto client = join("a");
    run(*client);
    hooks.to_send = "a";
    const auto events = run(*client, 200'000);
    EXPECT_GE(hooks.ticks, 3);
    ASSERT_EQ(count(events, Event::Kind::message), 1);
    EXPECT_EQ(events.back().message.payload, "hello");
}

TEST(Topics, match_filters_as_the_standard_says) {
    EXPECT_TRUE(matches("a/b", "a/b"));
    EXPECT_TRUE(matches("a/+", "a/b"));
    EXPECT_TRUE(matches("a/#", "a"));
    EXPECT_TRUE(matches("a/#", "a/b/c"));
    EXPECT_TRUE(matches("#", "a/b/c"));
    EXPECT_TRUE(matches("+/b/+", "a/b/"));
    EXPECT_FALSE(matches("a/+", "a"));
    EXPECT_FALSE(matches("a", "a/b"));
    EXPECT_FALSE(matches("a/b", "a"));
    EXPECT_FALSE(matches("#", "$SYS/x"));
    EXPECT_FALSE(matches("+/x", "$SYS/x"));
    EXPECT_TRUE(matches("$SYS/#", "$SYS/x"));
}

}  // namespace

}  // namespace stator::mqtt
