#include "store/stream/outbox.h"

#include "world/chance/seeded.h"
#include "world/clock/virtual.h"
#include "world/database/sqlite.h"
#include "world/journal/recorded.h"
#include "world/mqtt/simulated.h"

#include <gmock/gmock.h>

namespace stator::stream {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Not;

// Stores what it accepts; refuses one topic while told to.
struct Hooks final : mqtt::BrokerHooks {
    bool connect(const mqtt::Peer& /*peer*/) override { return true; }

    mqtt::Verdict subscribe(std::uint64_t /*handle*/, std::string_view /*filter*/) override {
        return mqtt::Verdict::accept;
    }

    mqtt::Verdict publish(const mqtt::Publication& publication) override {
        if (publication.topic == refused) {
            ++refusals;
            return mqtt::Verdict::deny;
        }
        stored.emplace_back(publication.payload);
        return mqtt::Verdict::accept;
    }

    bool deliver(std::uint64_t /*handle*/, std::string_view /*topic*/) override { return true; }

    void disconnect(std::uint64_t /*handle*/) override {}

    void tick(mqtt::Broker& /*broker*/) override {}

    std::string refused;
    int refusals = 0;
    std::vector<std::string> stored;
};

class OutboxTest : public testing::Test {
  protected:
    OutboxTest() {
        broker.start(&hooks);
        start();
    }

    // The service's own start, after a kill too.
    void start() {
        outbox.reset();
        client = broker.connect({.client_id = "service"}).value();
        outbox.emplace(*database, *client, clock, journal);
    }

    void run(std::int64_t duration_us, std::int64_t turn_us = 1000) {
        const std::int64_t end_us = clock.monotonic_us() + duration_us;
        while (clock.monotonic_us() < end_us) {
            while (broker.step()) {
            }
            for (const mqtt::Event& event : client->poll())
                outbox->on_event(event);
            ASSERT_TRUE(outbox->step());
            clock.wait_us(turn_us);
        }
    }

    void enqueue(const std::string& topic, const std::string& payload) {
        ASSERT_TRUE(outbox->enqueue(topic, payload));
    }

    clock::VirtualClock clock{1'700'000'000'000};
    chance::SeededChance chance{1};
    journal::RecordedJournal journal;
    mqtt::SimulatedMqtt broker{clock, chance};
    Hooks hooks;
    database::SimulatedDatabases databases;
    std::unique_ptr<database::Database> database =
        databases.open("service.db", database::Access::write, Outbox::schema).value();
    std::unique_ptr<mqtt::Client> client;
    std::optional<Outbox> outbox;
};

TEST_F(OutboxTest, publishes_in_order_and_forgets_what_was_acknowledged) {
    std::vector<std::string> expected;
    for (int i = 0; i < 100; ++i) {
        expected.push_back(std::to_string(i));
        enqueue("topic", expected.back());
    }
    run(500'000);
    EXPECT_EQ(hooks.stored, expected);
    EXPECT_EQ(outbox->waiting().value(), 0U);
}

TEST_F(OutboxTest, messages_refused_for_good_do_not_stop_those_behind_them) {
    hooks.refused = "refused";
    constexpr int refused = 100;  // more than are ever in flight
    for (int i = 0; i < refused; ++i)
        enqueue("refused", "no");
    for (int i = 0; i < 10; ++i)
        enqueue("topic", std::to_string(i));
    run(2'000'000);
    EXPECT_THAT(hooks.stored, ElementsAre("0", "1", "2", "3", "4", "5", "6", "7", "8", "9"));
    EXPECT_EQ(outbox->waiting().value(), 100U) << "kept, not dropped";
    EXPECT_TRUE(journal.told("refuses message 1 "));
}

TEST_F(OutboxTest, a_refused_message_is_tried_ever_more_seldom_and_goes_out_when_it_may) {
    hooks.refused = "refused";
    enqueue("refused", "late");
    run(100'000'000, 50'000);
    EXPECT_GE(hooks.refusals, 6);
    EXPECT_LE(hooks.refusals, 10) << "1, 2, 4, ... 60 s apart";
    hooks.refused.clear();
    run(61'000'000, 50'000);
    EXPECT_THAT(hooks.stored, ElementsAre("late"));
    EXPECT_EQ(outbox->waiting().value(), 0U);
}

TEST_F(OutboxTest, nothing_is_lost_when_the_broker_or_the_service_is_killed) {
    for (int i = 0; i < 50; ++i)
        enqueue("topic", std::to_string(i));
    run(1'200);  // some are under way
    ASSERT_THAT(hooks.stored, Not(Contains("49")));
    broker.kill();
    run(1'000);
    broker.start(&hooks);
    run(300'000);
    start();
    run(20'000'000, 10'000);
    for (int i = 0; i < 50; ++i)
        EXPECT_THAT(hooks.stored, Contains(std::to_string(i)));
    EXPECT_EQ(outbox->waiting().value(), 0U);
}

}  // namespace
}  // namespace stator::stream
