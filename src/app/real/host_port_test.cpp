// The host port's parts do what every port's must, over the real doors: Mosquitto with the gate,
// HTTPS and OpenSSL's signatures. Over the simulated ones: sense/port/host.
#include "app/real/real.h"
#include "sense/hal/conformance.h"
#include "sense/hal/fetch_conformance.h"
#include "sense/hal/link_conformance.h"
#include "sense/hal/trust_conformance.h"
#include "sense/port/host/file_flash.h"
#include "sense/port/host/http_fetch.h"
#include "sense/port/host/mqtt_link.h"
#include "sense/port/host/signature.h"
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

// The door answers before start() returns.
class AtOnce final : public hal::FetchSide {
  public:
    void begin() override {}

    bool turn() override { return false; }
};

class Registry {
  public:
    Registry() {
        for (int i = 0; i < 4'321; ++i)
            content += static_cast<char>(i * 31 + i / 256);
        std::string pattern = "/tmp/stator-port-XXXXXX";
        folder_ = ::mkdtemp(pattern.data());
        const std::string ca_key = *real_.tls.make_key();
        const std::string ca = *real_.tls.make_ca(ca_key, "test", 2);
        write("ca.pem", ca);
        issue(
            ca_key,
            ca,
            "server",
            {.common_name = "localhost", .ip_addresses = {"127.0.0.1"}, .server = true}
        );
        issue(ca_key, ca, "8", {.common_name = "8", .uri = "urn:stator:actor:8", .client = true});
        http::ListenOptions options;
        options.certificate_file = folder_ + "/server.pem";
        options.key_file = folder_ + "/server.key";
        options.client_ca_file = folder_ + "/ca.pem";
        auto server = real_.http.listen(options, [this](const http::Request& request) {
            return answer(request);
        });
        EXPECT_TRUE(server) << server.error().what;
        server_ = *std::move(server);
        port_ = server_->port();
        turning_ = std::thread{[this] {
            while (!ended_)
                server_->poll(2'000);
        }};
    }

    ~Registry() {
        ended_ = true;
        turning_.join();
        server_.reset();
        std::filesystem::remove_all(folder_);
    }

    Registry(const Registry&) = delete;
    Registry& operator=(const Registry&) = delete;

    [[nodiscard]] std::string url() const { return "https://127.0.0.1:" + std::to_string(port_); }

    [[nodiscard]] host::Credential credential() const {
        return {folder_ + "/ca.pem", folder_ + "/8.pem", folder_ + "/8.key"};
    }

    std::string content;

  private:
    void write(const std::string& name, const std::string& text) {
        EXPECT_TRUE(real_.disk.replace(folder_ + "/" + name, text));
    }

    void issue(
        const std::string& ca_key,
        const std::string& ca,
        const std::string& name,
        const tls::Subject& subject
    ) {
        const std::string key = *real_.tls.make_key();
        const std::string request = *real_.tls.make_request(key, subject.common_name);
        write(name + ".pem", *real_.tls.issue(ca_key, ca, request, subject, 1) + ca);
        write(name + ".key", key);
    }

    http::Response answer(const http::Request& request) const {
        http::Response response;
        if (request.method == "POST")
            response.body = request.body == "device_id=8" ? "TRUE" : "FALSE";
        else if (request.path == "/file")
            response.body = content;
        else
            return http::problem(404, "Not found", "there is none");
        return response;
    }

    Real real_;
    std::string folder_;
    std::unique_ptr<http::Server> server_;
    std::uint16_t port_ = 0;
    std::atomic<bool> ended_ = false;
    std::thread turning_;
};

TEST(HostPort, ItsFetchDoesWhatEveryFetchMust) {
    const Registry registry;
    Real real;
    host::HttpFetch fetch{real.http, registry.credential(), registry.url(), registry.url()};
    AtOnce side;
    hal::FetchWords words;
    words.path = words.breaks = "/file";
    words.content = std::as_bytes(std::span{registry.content});
    words.missing = "/missing";
    words.form_path = "/confirmActivation";
    words.form = "device_id=8";
    words.form_answer = "TRUE";
    EXPECT_EQ(hal::check_fetch(fetch, side, words), "");
}

TEST(HostPort, ItsVerifierDoesWhatEveryVerifierMust) {
    Real real;
    const std::string key = *real.tls.make_key();
    const std::string text = R"({"name":"m","release":7})";
    const auto signed_by_it = real.tls.sign(key, text);
    ASSERT_TRUE(signed_by_it) << signed_by_it.error().what;
    host::Signature signature{real.tls, *real.tls.public_key(key)};
    std::string room = text;
    EXPECT_EQ(hal::check_verifier(signature, text, *signed_by_it, room), "");
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
