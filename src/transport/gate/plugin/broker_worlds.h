// Worlds for the suite over both brokers: Mosquitto with the module, and the simulated broker.
#pragma once

#include "store/devices/rights.h"
#include "store/log/reader.h"
#include "transport/gate/gate.h"
#include "transport/gate/log_storage.h"
#include "transport/gate/mosquitto_conf.h"
#include "world/chance/seeded.h"
#include "world/clock/real.h"
#include "world/clock/virtual.h"
#include "world/disk/posix.h"
#include "world/disk/simulated.h"
#include "world/journal/recorded.h"
#include "world/mqtt/mosquitto_client.h"
#include "world/mqtt/simulated.h"
#include "world/tls/openssl.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <set>

namespace stator::gate {

inline constexpr const char* data_topic = "shaded-pole-motor-sensor_data";

inline devices::Rights usual_rights() {
    return {
        .generation = 1,
        .devices =
            {
                {"7", "sensor", devices::State::active, {}},
                {"8", "actor", devices::State::active, {}},
                {"9", "sensor", devices::State::provisioned, {}},
                {"l2", "level2", devices::State::active, {"7"}},
            }
    };
}

// Brokers, time and disk of one kind.
class World {
  public:
    virtual ~World() = default;
    virtual void start() = 0;
    virtual void kill() = 0;  // -9
    virtual mqtt::Options options(const std::string& role, const std::string& id) = 0;
    virtual mqtt::Mqtt& mqtt() = 0;
    virtual disk::Disk& disk() = 0;
    virtual void pass() = 0;  // some time
    virtual std::int64_t now_us() = 0;

    void write_rights(const devices::Rights& rights) {
        ASSERT_TRUE(disk().make_directories(state + "/registry"));
        ASSERT_TRUE(devices::save_rights(disk(), devices::rights_path(state), rights));
    }

    std::vector<log::Record> stored(log::Class log_class) {
        return records_of(state + "/log", log_class);
    }

    // What the next start would find if all processes were killed now.
    virtual std::vector<log::Record> stored_if_killed(log::Class log_class) {
        return stored(log_class);
    }

  protected:
    std::vector<log::Record> records_of(const std::string& log_directory, log::Class log_class) {
        auto reader = log::Reader::open(disk(), log_directory, log_class, {});
        std::vector<log::Record> all;
        while (reader) {
            auto some = (*reader)->take(1000);
            if (!some || some->empty()) break;
            std::ranges::move(*some, std::back_inserter(all));
        }
        return all;
    }

  public:
    std::string state = "/state";
};

class SimulatedWorld final : public World {
  public:
    SimulatedWorld() { EXPECT_TRUE(disk_.make_directories(state + "/log")); }

    ~SimulatedWorld() override { broker_.kill(); }

    void start() override {
        auto opened =
            LogStorage::open(disk_, clock_, journal_, {runner_, runner_}, state + "/log", {});
        ASSERT_TRUE(opened) << opened.error().what;
        storage_ = std::move(*opened);
        rights_.emplace(disk_, devices::rights_path(state));
        gate_.emplace(*storage_, *rights_, clock_, journal_);
        broker_.start(&*gate_);
    }

    void kill() override {
        broker_.kill();
        gate_.reset();
        storage_.reset();
    }

    mqtt::Options options(const std::string& role, const std::string& id) override {
        mqtt::Options options{.client_id = id};
        options.credentials.certificate_file = role + "/" + id;
        const std::string uri = "urn:stator:" + role + ":" + id;
        broker_.set_identity(role + "/" + id, {uri, "AB" + id});
        return options;
    }

    mqtt::Mqtt& mqtt() override { return broker_; }

    disk::Disk& disk() override { return disk_; }

    void pass() override {
        clock_.wait_us(1000);
        broker_.step();
    }

    std::int64_t now_us() override { return clock_.monotonic_us(); }

  private:
    clock::VirtualClock clock_{1'700'000'000'000};
    chance::SeededChance chance_{11};
    disk::SimulatedDisk disk_;
    journal::RecordedJournal journal_;
    RunAtOnce runner_;
    std::unique_ptr<LogStorage> storage_;
    std::optional<devices::RightsReader> rights_;
    std::optional<Gate> gate_;
    mqtt::SimulatedMqtt broker_{clock_, chance_};
};

class RealWorld final : public World {
  public:
    RealWorld() {
        std::string pattern = "/tmp/stator-broker-XXXXXX";
        state = ::mkdtemp(pattern.data());
        std::filesystem::create_directories(state + "/log");
        ca_key_ = *tls_.make_key();
        ca_ = *tls_.make_ca(ca_key_, "test", 2);
        write("ca.pem", ca_);
        issue(
            "server",
            {.common_name = "localhost",
             .dns_names = {"localhost"},
             .ip_addresses = {"127.0.0.1"},
             .server = true}
        );
        port_ = free_port();
        const auto conf = mosquitto_conf(
            {.state_directory = state,
             .plugin_file = STATOR_GATE_PLUGIN,
             .ca_file = state + "/ca.pem",
             .certificate_file = state + "/server.pem",
             .key_file = state + "/server.key",
             .user = "root",
             .bind_address = "127.0.0.1",
             .port = port_,
             .required = ""}
        );
        write("mosquitto.conf", *conf);
    }

    ~RealWorld() override {
        kill();
        std::filesystem::remove_all(state);
    }

    // The gatherings come first: what goes from them to a segment meanwhile is then in both.
    std::vector<log::Record> stored_if_killed(log::Class log_class) override {
        namespace fs = std::filesystem;
        const fs::path copy = state + "/killed";
        fs::remove_all(copy);
        fs::create_directories(copy);
        for (const bool directories : {false, true})
            for (const fs::directory_entry& entry : fs::directory_iterator(state + "/log"))
                if (entry.is_directory() == directories)
                    fs::copy(
                        entry.path(), copy / entry.path().filename(), fs::copy_options::recursive
                    );
        clock::RealClock clock;
        const auto writer = log::Writer::open(disk(), clock, copy.string(), {});
        EXPECT_TRUE(writer) << writer.error().what;
        return records_of(copy.string(), log_class);
    }

    void start() override {
        pid_ = ::fork();
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            const std::string log = state + "/broker.log";
            if (::freopen(log.c_str(), "a", stderr) == nullptr) ::_exit(99);
            // The module may be built with the address sanitizer, which the broker is not.
            if (*STATOR_PRELOAD != '\0') {
                ::setenv("LD_PRELOAD", STATOR_PRELOAD, 1);
                ::setenv("ASAN_OPTIONS", "detect_leaks=0:verify_asan_link_order=0", 1);
            }
            const std::string conf = state + "/mosquitto.conf";
            ::execl(STATOR_BROKER, STATOR_BROKER, "-c", conf.c_str(), nullptr);
            ::_exit(98);
        }
        const std::int64_t deadline_us = now_us() + 20'000'000;
        while (!listens() && now_us() < deadline_us)
            pass();
        ASSERT_TRUE(listens()) << broker_log();
    }

    void kill() override {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = 0;
    }

    mqtt::Options options(const std::string& role, const std::string& id) override {
        const std::string name = role + "-" + id;
        const std::string uri = "urn:stator:" + role + ":" + id;
        if (!std::filesystem::exists(state + "/" + name + ".pem"))
            issue(name, {.common_name = id, .uri = uri, .client = true});
        mqtt::Options options{.port = port_, .client_id = id};
        options.credentials = {
            .ca_file = state + "/ca.pem",
            .certificate_file = state + "/" + name + ".pem",
            .key_file = state + "/" + name + ".key"
        };
        return options;
    }

    mqtt::Mqtt& mqtt() override { return mqtt_; }

    disk::Disk& disk() override { return disk_; }

    void pass() override { clock_.wait_us(1000); }

    std::int64_t now_us() override { return clock_.monotonic_us(); }

    std::string broker_log() const {
        std::ifstream in{state + "/broker.log"};
        return {std::istreambuf_iterator<char>{in}, {}};
    }

  private:
    void write(const std::string& name, const std::string& text) const {
        std::ofstream{state + "/" + name} << text;
    }

    void issue(const std::string& name, const tls::Subject& subject) {
        const std::string key = *tls_.make_key();
        const std::string request = *tls_.make_request(key, subject.common_name);
        write(name + ".pem", *tls_.issue(ca_key_, ca_, request, subject, 1));
        write(name + ".key", key);
    }

    static int socket_at(std::uint16_t port, bool connect) {
        const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        auto* const raw = reinterpret_cast<sockaddr*>(&address);
        const int code =
            connect ? ::connect(fd, raw, sizeof address) : ::bind(fd, raw, sizeof address);
        if (code == 0) return fd;
        ::close(fd);
        return -1;
    }

    static std::uint16_t free_port() {
        const int fd = socket_at(0, false);
        sockaddr_in address{};
        socklen_t size = sizeof address;
        ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
        ::close(fd);
        return ntohs(address.sin_port);
    }

    bool listens() const {
        const int fd = socket_at(port_, true);
        if (fd >= 0) ::close(fd);
        return fd >= 0;
    }

    clock::RealClock clock_;
    chance::SeededChance chance_{5};
    disk::PosixDisk disk_;
    tls::OpenSslTls tls_{clock_};
    mqtt::MosquittoMqtt mqtt_{clock_, chance_};
    std::string ca_key_;
    std::string ca_;
    std::uint16_t port_ = 0;
    pid_t pid_ = 0;
};

}  // namespace stator::gate
