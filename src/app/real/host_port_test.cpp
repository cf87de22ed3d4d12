// The host port's parts do what every port's must, over the real doors: Mosquitto with the gate,
// HTTPS and OpenSSL's signatures. Over the simulated ones: sense/port/host.
#include "app/real/real.h"
#include "sense/hal/conformance.h"
#include "sense/hal/link_conformance.h"
#include "sense/port/host/file_flash.h"
#include "sense/port/host/mqtt_link.h"
#include "sense/port/host/peers_test.h"
#include "transport/gate/plugin/broker_worlds.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

namespace stator::real {
namespace {

class RealBroker final : public hal::LinkSide {
  public:
    explicit RealBroker(gate::RealWorld& world)
        : world_{world}, service_{*world.mqtt().connect(world.options("service", "console"))} {}

    void begin() override { end_us_ = world_.now_us() + 30'000'000; }

    bool turn() override {
        world_.pass();
        static_cast<void>(service_->poll());
        return world_.now_us() < end_us_;
    }

    // The door publishes it again if the broker was killed meanwhile.
    void deliver(std::string_view payload) override {
        ASSERT_TRUE(service_->publish({"stator/devices/8/command", std::string{payload}}));
    }

    void break_off() override {
        world_.kill();
        world_.start();
    }

  private:
    gate::RealWorld& world_;
    std::unique_ptr<mqtt::Client> service_;
    std::int64_t end_us_ = 0;
};

TEST(HostPort, ItsLinkDoesWhatEveryLinkMust) {
    gate::RealWorld world;
    world.write_rights(gate::usual_rights());
    world.start();
    Real real;
    host::MqttLink link{real.mqtt, real.clock, real.chance, world.options("actor", "8")};
    RealBroker broker{world};
    const hal::LinkWords words{
        gate::data_topic,
        "stator/devices/8/command",
        R"({"deviceID":"8","current":1})",
        R"({"command":"one"})",
        R"({"command":"two"})"
    };
    EXPECT_EQ(hal::check_link(link, broker, words), "");
}

TEST(HostPort, ItsFetchDoesWhatEveryFetchMust) {
    Real theirs;
    std::string folder = "/tmp/stator-port-XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    host::Registry registry{theirs.disk, theirs.tls, theirs.http, folder, "8"};
    std::atomic<bool> ended = false;
    std::thread turning{[&] {
        while (!ended)
            registry.server().poll(2'000);
    }};
    Real real;
    EXPECT_EQ(registry.check(real.http), "");
    ended = true;
    turning.join();
    std::filesystem::remove_all(folder);
}

TEST(HostPort, ItsVerifierDoesWhatEveryVerifierMust) {
    Real real;
    EXPECT_EQ(host::check_signature(real.tls), "");
}

TEST(HostPort, ItsFlashDoesWhatEveryFlashMust) {
    Real real;
    std::string folder = "/tmp/stator-port-XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    std::unique_ptr<host::FileFlash> flash;
    const auto open = [&]() -> hal::Flash& {
        flash.reset();
        auto opened = host::FileFlash::open(
            real.disk, folder + "/flash.bin", 8 * host::FileFlash::sector_size
        );
        EXPECT_TRUE(opened) << opened.error().what;
        flash = *std::move(opened);
        return *flash;
    };
    EXPECT_EQ(hal::check_flash(open), "");
    std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace stator::real
