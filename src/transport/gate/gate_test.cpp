#include "transport/gate/gate_fixture_test.h"

namespace stator::gate {

namespace {

TEST_F(GateTest, admits_only_whom_the_registry_has_active) {
    EXPECT_NE(join("sensor", "7"), 0U);
    EXPECT_EQ(join("actor", "7"), 0U) << "a role that the registry does not say";
    EXPECT_EQ(join("sensor", "9"), 0U) << "only provisioned";
    EXPECT_EQ(join("sensor", "10"), 0U) << "unknown";
    EXPECT_NE(join("service", "ingest"), 0U);
    EXPECT_NE(join("viewer", "someone"), 0U);
}

TEST_F(GateTest, refuses_a_client_id_that_is_not_the_certificates) {
    const mqtt::Peer peer{.handle = 1, .client_id = "8", .uri = "urn:stator:sensor:7"};
    EXPECT_FALSE(gate->connect(peer));
    EXPECT_FALSE(gate->connect({.handle = 2, .client_id = "", .uri = "urn:stator:sensor:"}));
    EXPECT_TRUE(storage.records.empty());
}

TEST_F(GateTest, lets_legacy_devices_in_by_their_listed_exception_only) {
    EXPECT_TRUE(gate->connect({.handle = 1, .client_id = "old", .password = "secret"}));
    EXPECT_FALSE(gate->connect({.handle = 2, .client_id = "old", .password = "wrong"}));
    EXPECT_FALSE(gate->connect({.handle = 3, .client_id = "old", .loopback = true}));
    EXPECT_TRUE(gate->connect({.handle = 4, .client_id = "older", .loopback = true}));
    EXPECT_FALSE(gate->connect({.handle = 5, .client_id = "older", .loopback = false}));
    EXPECT_FALSE(gate->connect({.handle = 6, .client_id = "7", .loopback = true}));
    EXPECT_FALSE(gate->connect({.handle = 7, .client_id = "ingest", .loopback = true}));
}

TEST_F(GateTest, stores_what_it_accepts_with_sender_and_time_before_it_answers) {
    const auto sensor = join("sensor", "7");
    clock.wait_us(5'000'000);
    const std::string text = R"({"deviceID":"7","current":1.5,"boot":2,"seq":10})";
    ASSERT_EQ(publish(sensor, data_topic, text), Verdict::accept);
    const log::Record& record = storage.records.back();
    EXPECT_EQ(record.payload, text);
    EXPECT_EQ(record.sender, "7");
    EXPECT_EQ(record.receive_unix_ms, 1'700'000'005'000);
    EXPECT_EQ(record.identity, log::Identity::certificate);
    EXPECT_EQ(storage.classes.back(), log::Class::telemetry);
    EXPECT_EQ(storage.last_marks["7"], (Mark{"7", 2, 10}));
    ASSERT_EQ(publish(sensor, "stator/devices/7/waveform", text), Verdict::accept);
    EXPECT_EQ(storage.classes.back(), log::Class::waveform);
}

TEST_F(GateTest, keeps_what_an_adopter_brings_as_vouched_and_lets_it_decide_nothing) {
    const auto adopter = join("adopter", "adopt");
    ASSERT_NE(adopter, 0U);
    const std::string foreign =
        R"({"deviceID":"p-7","inference":0.9,"alarm":true,"boot":2,"seq":3})";
    for (const char* topic : {data_topic, "motor-anomaly-level1-inference"}) {
        ASSERT_EQ(publish(adopter, topic, foreign), Verdict::accept) << topic;
        EXPECT_EQ(storage.records.back().identity, log::Identity::vouched);
        EXPECT_EQ(storage.records.back().payload, foreign);
    }
    EXPECT_FALSE(storage.last_marks.contains("adopt"));
    EXPECT_FALSE(storage.last_marks.contains("p-7"));
    const std::size_t kept = storage.records.size();
    // Whoever is known here, in whatever state, speaks for itself.
    for (const std::string known : {"7", "8", "9", "old", "l2"}) {
        const std::string text =
            R"({"deviceID":")" + known + R"(","inference":0.9,"alarm":true,"boot":9,"seq":9})";
        EXPECT_EQ(publish(adopter, data_topic, text), Verdict::deny) << known;
        EXPECT_EQ(publish(adopter, "motor-anomaly-level1-inference", text), Verdict::deny);
    }
    EXPECT_EQ(publish(adopter, data_topic, R"({"current":1})"), Verdict::deny) << "for nobody";
    for (const std::string topic :
         {"motor-failure-alert-level2-inference",
          "control-message",
          "stator/devices/8/command",
          "stator/devices/8/stored",
          "stator/devices/8/event",
          "stator/devices/p-7/event",
          "stator/devices/adopt/event",
          "stator/presence/8",
          "stator/presence/p-7"}) {
        EXPECT_EQ(publish(adopter, topic, foreign), Verdict::deny) << topic;
        EXPECT_EQ(gate->subscribe(adopter, topic), Verdict::deny) << topic;
        EXPECT_FALSE(gate->deliver(adopter, topic)) << topic;
    }
    EXPECT_EQ(gate->subscribe(adopter, "#"), Verdict::deny);
    EXPECT_EQ(storage.records.size(), kept);
}

TEST_F(GateTest, puts_each_topic_into_its_log) {
    const auto sensor = join("sensor", "7");
    const auto level2 = join("level2", "l2");
    const auto service = join("service", "rollout");
    const auto stored_in = [&](std::uint64_t who, std::string_view topic, std::string_view text) {
        EXPECT_EQ(publish(who, topic, text), Verdict::accept) << topic;
        return storage.classes.back();
    };
    EXPECT_EQ(
        stored_in(sensor, "motor-anomaly-level1-inference", R"({"deviceID":"7"})"),
        log::Class::alarm
    );
    EXPECT_EQ(
        stored_in(level2, "motor-failure-alert-level2-inference", R"({"deviceID":"7"})"),
        log::Class::alarm
    );
    EXPECT_EQ(stored_in(service, "control-message", "{}"), log::Class::control);
    EXPECT_EQ(stored_in(service, "stator/devices/7/command", "{}"), log::Class::control);
    EXPECT_EQ(
        stored_in(sensor, "stator/devices/7/event", R"({"event":"started"})"), log::Class::control
    );
    EXPECT_EQ(
        stored_in(sensor, "stator/devices/7/event", R"({"event":"gap","from":1,"to":2})"),
        log::Class::telemetry
    );
}

TEST_F(GateTest, refuses_another_ones_device_id) {
    const auto sensor = join("sensor", "7");
    const auto level2 = join("level2", "l2");
    EXPECT_EQ(publish(sensor, data_topic, R"({"deviceID":"8"})"), Verdict::deny);
    // The escaped spelling is the same id, and a second member is a second sender.
    EXPECT_EQ(publish(sensor, data_topic, R"({"deviceID":"\u0038"})"), Verdict::deny);
    EXPECT_EQ(publish(sensor, data_topic, R"({"deviceID":"7","deviceID":"8"})"), Verdict::deny);
    EXPECT_EQ(
        publish(sensor, data_topic, R"({"deviceID":"7","device\u0049D":"8"})"), Verdict::deny
    );
    EXPECT_EQ(publish(sensor, "stator/devices/8/event", "{}"), Verdict::deny);
    const char* alert = "motor-failure-alert-level2-inference";
    EXPECT_EQ(publish(level2, alert, R"({"deviceID":"7"})"), Verdict::accept);
    EXPECT_EQ(publish(level2, alert, R"({"deviceID":"8"})"), Verdict::deny) << "not assigned";
    EXPECT_EQ(publish(level2, alert, "{}"), Verdict::deny);
}

TEST_F(GateTest, ends_the_connection_of_3_1_1_where_it_denies_under_5) {
    const auto old = join("sensor", "7", 4);
    const auto young = join("actor", "8", 5);
    EXPECT_EQ(publish(old, "control-message", "{}"), Verdict::drop);
    EXPECT_EQ(publish(young, "control-message", "{}"), Verdict::deny);
    EXPECT_EQ(storage.on("control-message").size(), 0U);
}

TEST_F(GateTest, refuses_what_is_no_json_object) {
    const auto sensor = join("sensor", "7");
    for (const char* wrong :
         {"",
          "x",
          "[]",
          "1",
          "{",
          "{}x",
          R"({"deviceID":7})",
          R"({"a":1,})",
          "{\"a\":\"\xff\"}",
          R"({"seq":-1})",
          R"({"boot":1})",
          R"({"seq":1.5})",
          R"({"deviceID":"a/b"})"})
        EXPECT_EQ(publish(sensor, data_topic, wrong), Verdict::deny) << wrong;
    EXPECT_EQ(publish(sensor, data_topic, std::string(70'000, ' ') + "{}"), Verdict::deny);
    EXPECT_EQ(gate->counts().refused[static_cast<std::size_t>(Refusal::too_large)], 1U);
}

TEST_F(GateTest, gives_a_sender_without_numbers_its_own) {
    const auto sensor = join("sensor", "7");
    ASSERT_EQ(publish(sensor, data_topic, R"({"current":1})"), Verdict::accept);
    ASSERT_EQ(publish(sensor, data_topic, R"( { "deviceID":"7" } )"), Verdict::accept);
    ASSERT_EQ(publish(sensor, data_topic, "{ }"), Verdict::accept);
    const auto stored = storage.on(data_topic);
    EXPECT_EQ(stored[0], R"({"deviceID":"7","boot":1700000000,"seq":1,"current":1})");
    EXPECT_EQ(stored[1], R"({"boot":1700000000,"seq":2, "deviceID":"7" } )");
    EXPECT_EQ(stored[2], R"({"deviceID":"7","boot":1700000000,"seq":3 })");
    for (const std::string& text : stored)
        EXPECT_TRUE(scan_payload(text, 1000)) << text;
    EXPECT_TRUE(storage.last_marks.empty()) << "it could not read a mark of a number not its own";
}

TEST_F(GateTest, a_message_that_is_not_stored_is_not_acknowledged) {
    const auto sensor = join("sensor", "7");
    const auto young = join("actor", "8", 5);
    storage.failing = true;
    const char* text = R"({"deviceID":"7","boot":1,"seq":1})";
    EXPECT_EQ(publish(sensor, data_topic, text), Verdict::drop);
    EXPECT_EQ(publish(young, data_topic, "{}"), Verdict::drop);
    EXPECT_EQ(publish(sensor, "stator/devices/7/waveform", text), Verdict::deny);
    storage.failing = false;
    EXPECT_EQ(publish(sensor, data_topic, text), Verdict::accept);
    EXPECT_TRUE(journal.told("no space"));
}

TEST_F(GateTest, writes_presence_and_keeps_it_over_a_takeover) {
    const auto first = join("sensor", "7");
    const auto second = join("sensor", "7");
    gate->disconnect(first);
    auto presence = storage.on("stator/presence/7");
    ASSERT_EQ(presence.size(), 2U) << "the id was never away";
    EXPECT_NE(presence.front().find(R"("role":"sensor")"), std::string::npos) << presence.front();
    gate->disconnect(second);
    presence = storage.on("stator/presence/7");
    ASSERT_EQ(presence.size(), 3U);
    EXPECT_NE(presence.back().find(R"("state":"offline")"), std::string::npos);
    EXPECT_EQ(storage.records.back().identity, log::Identity::self);
}

TEST_F(GateTest, stores_a_will_after_the_disconnect_by_the_same_rights) {
    const auto sensor = join("sensor", "7");
    gate->disconnect(sensor);
    EXPECT_EQ(publish(sensor, data_topic, R"({"deviceID":"7"})"), Verdict::accept);
    EXPECT_EQ(publish(sensor, "control-message", "{}"), Verdict::deny);
    EXPECT_EQ(publish(12345, data_topic, R"({"deviceID":"7"})"), Verdict::drop);
}

TEST_F(GateTest, tells_the_synced_mark_on_subscribe_and_once_a_second) {
    storage.kept = {{"7", 1, 5}};
    gate.emplace(storage, reader, clock, journal, options);
    const auto sensor = join("sensor", "7");
    ASSERT_EQ(gate->subscribe(sensor, "stator/devices/7/stored"), Verdict::accept);
    run(100'000);
    ASSERT_EQ(broker.sent.size(), 1U) << "the mark of before the restart";
    EXPECT_EQ(broker.sent[0].first, "7 stator/devices/7/stored");
    EXPECT_EQ(broker.sent[0].second, R"({"boot":1,"seq":5,"hold":false})");
    for (int seq = 6; seq < 306; ++seq) {
        const auto text = R"({"deviceID":"7","boot":1,"seq":)" + std::to_string(seq) + "}";
        ASSERT_EQ(publish(sensor, data_topic, text), Verdict::accept);
        run(10'000);
    }
    run(1'500'000);
    EXPECT_GE(broker.sent.size(), 4U);
    EXPECT_LE(broker.sent.size(), 6U);
    EXPECT_EQ(broker.sent.back().second, R"({"boot":1,"seq":305,"hold":false})");
}

TEST_F(GateTest, a_mark_waits_for_the_sync_and_for_what_is_missing) {
    const auto sensor = join("sensor", "7");
    ASSERT_EQ(gate->subscribe(sensor, "stator/devices/7/stored"), Verdict::accept);
    const auto send = [&](int seq) {
        const auto text = R"({"deviceID":"7","boot":1,"seq":)" + std::to_string(seq) + "}";
        ASSERT_EQ(publish(sensor, data_topic, text), Verdict::accept);
    };
    send(1);
    run(3'000'000);
    EXPECT_EQ(broker.sent.back().second, R"({"boot":1,"seq":1,"hold":false})");
    storage.stuck = true;
    send(2);
    run(3'000'000);
    EXPECT_EQ(broker.sent.back().second, R"({"boot":1,"seq":1,"hold":false})");
    storage.stuck = false;
    storage.sync_fails = true;
    run(3'000'000);
    EXPECT_EQ(broker.sent.back().second, R"({"boot":1,"seq":1,"hold":false})");
    storage.sync_fails = false;
    run(3'000'000);
    EXPECT_EQ(broker.sent.back().second, R"({"boot":1,"seq":2,"hold":false})");
    send(5);
    run(3'000'000);
    EXPECT_EQ(broker.sent.back().second, R"({"boot":1,"seq":2,"hold":false})");
    ASSERT_EQ(
        publish(
            sensor,
            "stator/devices/7/event",
            R"({"deviceID":"7","boot":1,"seq":6,"event":"gap","from":3,"to":4})"
        ),
        Verdict::accept
    );
    run(3'000'000);
    EXPECT_EQ(broker.sent.back().second, R"({"boot":1,"seq":6,"hold":false})");
}

TEST_F(GateTest, says_hold_at_90_percent_and_releases_below_80) {
    const auto sensor = join("sensor", "7");
    ASSERT_EQ(gate->subscribe(sensor, "stator/devices/7/stored"), Verdict::accept);
    for (const auto& [fill, hold] : std::vector<std::pair<double, bool>>{
             {0.89, false}, {0.9, true}, {0.85, true}, {0.79, false}, {0.85, false}
         }) {
        storage.full = fill;
        run(2'000'000);
        EXPECT_EQ(gate->holding(), hold) << fill;
        const bool told = broker.sent.back().second.find("\"hold\":true") != std::string::npos;
        EXPECT_EQ(told, hold) << fill;
    }
}

TEST_F(GateTest, bounds_a_devices_rate_but_not_a_services) {
    options.rate_per_s = 10.0;
    options.burst = 20.0;
    gate.emplace(storage, reader, clock, journal, options);
    const auto sensor = join("sensor", "7");
    const auto service = join("service", "bridge");
    int accepted = 0;
    for (int i = 0; i < 100; ++i)
        accepted += publish(sensor, data_topic, "{}") == Verdict::accept ? 1 : 0;
    EXPECT_EQ(accepted, 20);
    EXPECT_EQ(publish(sensor, data_topic, "{}"), Verdict::drop) << "it must send it again";
    clock.wait_us(1'000'000);
    accepted = 0;
    for (int i = 0; i < 100; ++i)
        accepted += publish(sensor, data_topic, "{}") == Verdict::accept ? 1 : 0;
    EXPECT_EQ(accepted, 10);
    for (int i = 0; i < 100; ++i)
        EXPECT_EQ(publish(service, data_topic, R"({"deviceID":"7"})"), Verdict::accept);
    std::size_t lines = 0;
    for (const auto& line : journal.lines())
        if (line.text.find("rate") != std::string::npos) ++lines;
    EXPECT_EQ(lines, 1U) << "one line for a flood";
}

TEST_F(GateTest, a_retained_command_is_refused) {
    const auto service = join("service", "rollout");
    EXPECT_EQ(gate->publish({service, "stator/devices/7/command", "{}", 1, true}), Verdict::deny);
}

TEST_F(GateTest, counts_in_metrics) {
    const auto sensor = join("sensor", "7");
    ASSERT_EQ(publish(sensor, data_topic, "{}"), Verdict::accept);
    ASSERT_EQ(publish(sensor, data_topic, "x"), Verdict::deny);
    const std::string text = gate->metrics_text();
    EXPECT_NE(
        text.find("stator_gate_messages_accepted_total{class=\"telemetry\"} 1"), std::string::npos
    ) << text;
    EXPECT_NE(text.find("stator_gate_refusals_total{reason=\"payload\"} 1"), std::string::npos);
}

}  // namespace

}  // namespace stator::gate
