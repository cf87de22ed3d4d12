// The host port's parts do what every port's must, over the simulated doors. Over the real ones:
// app/real.
#include "sense/hal/fetch_conformance.h"
#include "sense/hal/link_conformance.h"
#include "sense/hal/trust_conformance.h"
#include "sense/port/host/http_fetch.h"
#include "sense/port/host/mqtt_link.h"
#include "sense/port/host/signature.h"
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

// The door answers before start() returns.
class AtOnce final : public hal::FetchSide {
  public:
    void begin() override {}

    bool turn() override { return false; }
};

class Registry {
  public:
    explicit Registry(World& world) : world_{world} {
        for (int i = 0; i < 4'321; ++i)
            content += static_cast<char>(i * 31 + i / 256);
        EXPECT_TRUE(world.disk.make_directories("/pki"));
        const std::string ca_key = *world.tls.make_key();
        const std::string ca = *world.tls.make_ca(ca_key, "test", 10);
        issue(
            ca_key,
            ca,
            "server",
            {.common_name = "server", .ip_addresses = {"127.0.0.1"}, .server = true}
        );
        issue(ca_key, ca, "7", {.common_name = "7", .uri = "urn:stator:actor:7", .client = true});
        EXPECT_TRUE(world.disk.replace("/pki/ca.pem", ca));
        http::ListenOptions options;
        options.certificate_file = "/pki/server.pem";
        options.key_file = "/pki/server.key";
        options.client_ca_file = "/pki/ca.pem";
        auto server = world.http.listen(options, [this](const http::Request& request) {
            return answer(request);
        });
        EXPECT_TRUE(server) << server.error().what;
        server_ = *std::move(server);
    }

    [[nodiscard]] std::string url() const {
        return "https://127.0.0.1:" + std::to_string(server_->port());
    }

    std::string content;

  private:
    void issue(
        const std::string& ca_key,
        const std::string& ca,
        const std::string& name,
        const tls::Subject& subject
    ) {
        const std::string key = *world_.tls.make_key();
        const std::string request = *world_.tls.make_request(key, name);
        const std::string leaf = *world_.tls.issue(ca_key, ca, request, subject, 10);
        EXPECT_TRUE(world_.disk.replace("/pki/" + name + ".pem", leaf + ca));
        EXPECT_TRUE(world_.disk.replace("/pki/" + name + ".key", key));
    }

    http::Response answer(const http::Request& request) {
        http::Response response;
        if (request.method == "POST") {
            response.body = request.body == "device_id=7" ? "TRUE" : "FALSE";
        } else if (request.path == "/file") {
            response.body = content;
        } else {
            return http::problem(404, "Not found", "there is none");
        }
        return response;
    }

    World& world_;
    std::unique_ptr<http::Server> server_;
};

TEST(HttpFetch, DoesWhatEveryFetchMust) {
    World world;
    const Registry registry{world};
    HttpFetch fetch{
        world.http,
        {.ca_file = "/pki/ca.pem", .certificate_file = "/pki/7.pem", .key_file = "/pki/7.key"},
        registry.url(),
        registry.url()
    };
    AtOnce side;
    hal::FetchWords words;
    words.path = words.breaks = "/file";  // a connection of this door does not break
    words.content = std::as_bytes(std::span{registry.content});
    words.missing = "/missing";
    words.form_path = "/confirmActivation";
    words.form = "device_id=7";
    words.form_answer = "TRUE";
    EXPECT_EQ(hal::check_fetch(fetch, side, words), "");
}

TEST(Signature, DoesWhatEveryVerifierMust) {
    World world;
    const std::string key = *world.tls.make_key();
    const std::string text = R"({"name":"m","release":7})";
    const auto signed_by_it = world.tls.sign(key, text);
    ASSERT_TRUE(signed_by_it) << signed_by_it.error().what;
    Signature signature{world.tls, *world.tls.public_key(key)};
    std::string room = text;
    EXPECT_EQ(hal::check_verifier(signature, text, *signed_by_it, room), "");
}

TEST(CountingWatchdog, DoesWhatEveryWatchdogMust) {
    hal::CountingWatchdog watchdog;
    EXPECT_EQ(hal::check_watchdog(watchdog, 1'000, [](std::int64_t) {}), "");
    EXPECT_EQ(watchdog.fed, 6U);
}

}  // namespace
}  // namespace stator::host
