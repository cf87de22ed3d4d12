// The host port's parts do what every port's must, over the simulated doors. Over the real ones:
// app/real.
#include "sense/hal/link_conformance.h"
#include "sense/hal/trust_conformance.h"
#include "sense/port/host/mqtt_link.h"
#include "sense/port/host/peers_test.h"
#include "world/chance/seeded.h"
#include "world/clock/virtual.h"
#include "world/disk/simulated.h"
#include "world/http/simulated.h"
#include "world/journal/recorded.h"
#include "world/mqtt/simulated.h"
#include "world/tls/simulated.h"

#include <gtest/gtest.h>

#include <string>

namespace stator::host {
namespace {

struct World {
    clock::VirtualClock clock{1'795'400'000'000};
    chance::SeededChance chance{3};
    disk::SimulatedDisk disk;
    journal::RecordedJournal journal;
    tls::SimulatedTls tls{chance, clock};
    http::SimulatedHttp http{disk, tls, clock, journal};
    mqtt::SimulatedMqtt mqtt{clock, chance};
};

class SimulatedBroker final : public hal::LinkSide {
  public:
    explicit SimulatedBroker(World& world) : world_{world} {}

    void begin() override { turns_ = 0; }

    bool turn() override {
        world_.clock.wait_us(10'000);
        world_.mqtt.step();
        return ++turns_ < 6'000;
    }

    void deliver(std::string_view payload) override {
        world_.mqtt.publish_to("7", "down", std::string{payload}, 1);
    }

    void break_off() override {
        world_.mqtt.kill();
        world_.mqtt.start(nullptr);
    }

  private:
    World& world_;
    int turns_ = 0;
};

TEST(MqttLink, DoesWhatEveryLinkMust) {
    World world;
    mqtt::Options options;
    options.client_id = "7";
    MqttLink link{world.mqtt, world.clock, world.chance, options};
    SimulatedBroker broker{world};
    EXPECT_EQ(hal::check_link(link, broker, {"up", "down", "{}", "one", "two"}), "");
}

TEST(HttpFetch, DoesWhatEveryFetchMust) {
    World world;
    ASSERT_TRUE(world.disk.make_directories("/pki"));
    const Registry registry{world.disk, world.tls, world.http, "/pki", "7"};
    EXPECT_EQ(registry.check(world.http), "");
}

TEST(Signature, DoesWhatEveryVerifierMust) {
    World world;
    EXPECT_EQ(check_signature(world.tls), "");
}

TEST(CountingWatchdog, DoesWhatEveryWatchdogMust) {
    hal::CountingWatchdog watchdog;
    EXPECT_EQ(hal::check_watchdog(watchdog, 1'000, [](std::int64_t) {}), "");
    EXPECT_EQ(watchdog.fed, 6U);
}

}  // namespace
}  // namespace stator::host
