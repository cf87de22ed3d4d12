// A device for a day of virtual time, over simulated doors, with everything that can go wrong on
// the way to its site: is anything lost that it could hold, anything missing that it did not
// declare, does anything grow? STATOR_LONG=1: 24 hours; otherwise three.
#include "sense/port/host/device.h"
#include "shared/wire/messages.h"
#include "world/chance/seeded.h"
#include "world/clock/virtual.h"
#include "world/disk/simulated.h"
#include "world/http/simulated.h"
#include "world/mqtt/simulated.h"
#include "world/tls/simulated.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <new>
#include <random>
#include <string>
#include <vector>

namespace {

std::int64_t blocks_live = 0;  // of this program

void let_go(void* block) {
    if (block != nullptr) --blocks_live;
    std::free(block);
}

}  // namespace

void* operator new(std::size_t size) {
    void* block = std::malloc(size == 0 ? 1 : size);
    if (block == nullptr) std::abort();
    ++blocks_live;
    return block;
}

void operator delete(void* block) noexcept {
    let_go(block);
}

void operator delete(void* block, std::size_t /*size*/) noexcept {
    let_go(block);
}

namespace stator::host {
namespace {

constexpr std::int64_t today_unix_ms = 1'795'400'000'000;
constexpr std::int64_t second_us = 1'000'000;

class NoDatabases final : public database::Databases {
  public:
    Outcome<std::unique_ptr<database::Database>> open(
        const std::string& path, database::Access /*access*/, std::string_view /*schema*/
    ) override {
        return fail(base::Fault::not_found, path);
    }
};

class Silence final : public journal::Journal {
  public:
    void say(journal::Level /*level*/, std::string_view /*tag*/, std::string_view /*text*/)
        override {}
};

// What a site knows of a device: the gate's mark, and for the test all that was received.
class Site final : public mqtt::BrokerHooks {
  public:
    struct Boot {
        std::vector<std::uint8_t> heard = std::vector<std::uint8_t>(200'000);  // 1 got, 2 declared
        std::uint64_t appended = 0;
    };

    bool connect(const mqtt::Peer& /*peer*/) override { return true; }

    mqtt::Verdict subscribe(std::uint64_t /*handle*/, std::string_view filter) override {
        if (filter.ends_with("/stored")) tell_ = true;
        return mqtt::Verdict::accept;
    }

    mqtt::Verdict publish(const mqtt::Publication& publication) override {
        const auto head = wire::decode_head(publication.payload);
        EXPECT_TRUE(head && head->boot && head->seq) << publication.payload;
        if (!head || !head->seq) return mqtt::Verdict::accept;
        const std::uint32_t number = *head->boot;
        Boot& boot = boots[number];
        if (*head->seq >= boot.heard.size()) return mqtt::Verdict::drop;
        const bool fresh = (boot.heard[*head->seq] & 1U) == 0;
        const bool given_up = (boot.heard[*head->seq] & 2U) != 0;  // declared, and yet it comes
        boot.heard[*head->seq] |= 1U;
        received += fresh ? 1 : 0;
        again += fresh ? 0 : 1;
        auto& last = last_[std::string{publication.topic}];
        const std::pair now{number, *head->seq};
        // Who reads a topic takes what does not rise for something it had.
        if (fresh && now < last) ++(given_up ? late : passed_over);
        last = std::max(last, now);
        if (head->event.view() == "gap") {
            const auto event = wire::decode_event(publication.payload);
            const auto* gap = event ? std::get_if<wire::GapEvent>(&event->what) : nullptr;
            for (std::uint64_t seq = gap->from; seq <= gap->to && seq < boot.heard.size(); ++seq)
                boot.heard[seq] |= 2U;
            ++gaps;
        }
        while (boot.appended + 1 < boot.heard.size() && boot.heard[boot.appended + 1] != 0)
            ++boot.appended;
        tell_ = tell_ || number >= boot_;
        boot_ = std::max(boot_, number);
        return mqtt::Verdict::accept;
    }

    bool deliver(std::uint64_t /*handle*/, std::string_view /*topic*/) override { return true; }

    void disconnect(std::uint64_t /*handle*/) override {}

    void tick(mqtt::Broker& broker) override {
        const std::int64_t now_us = clock->monotonic_us();
        if (!tell_ || now_us - told_us_ < second_us) return;
        tell_ = false;
        told_us_ = now_us;
        const std::uint64_t seq = boot_ == 0 ? 0 : boots[boot_].appended;
        broker.publish_to(
            "7",
            "stator/devices/7/stored",
            R"({"boot":)" + std::to_string(boot_) + R"(,"seq":)" + std::to_string(seq) +
                R"(,"hold":)" + (hold ? "true}" : "false}"),
            1
        );
    }

    void set_hold(bool on) {
        hold = on;
        tell_ = true;
    }

    clock::Clock* clock = nullptr;
    std::map<std::uint32_t, Boot> boots;
    std::uint64_t received = 0;
    std::uint64_t again = 0;
    std::uint64_t gaps = 0;
    std::uint64_t passed_over = 0;
    std::uint64_t late = 0;
    bool hold = false;

  private:
    std::map<std::string, std::pair<std::uint32_t, std::uint64_t>> last_;
    std::uint32_t boot_ = 0;
    std::int64_t told_us_ = 0;
    bool tell_ = false;
};

class Machine final : public hal::Adc, public hal::Actuators {
  public:
    base::Result<void> read(std::size_t channel, std::span<std::uint16_t> counts) override {
        for (auto& count : counts)
            count = static_cast<std::uint16_t>(1'000 + channel + (turn_++ * 7) % 13);
        return {};
    }

    void set_valve_degrees(std::uint8_t /*degrees*/) override {}

    void set_backup_pump(bool /*on*/) override {}

    base::Result<float> backup_flow_l_per_min() override { return 0.0F; }

  private:
    std::uint32_t turn_ = 0;
};

class Soak : public testing::Test {
  protected:
    Soak() {
        site_.clock = &clock_;
        mqtt_.set_hooks(&site_);
        options_.directory = "/nodes/7";
        options_.backlog_bytes = 96U << 10U;
        options_.readings_max = 256;
        options_.events_max = 64;
        options_.arena_bytes = 4096;
        options_.asset.device = "7";
        options_.asset.device_class = "motor";
        for (const char* name : {"vibration", "temperature"}) {
            asset::Channel channel;
            channel.name = name;
            EXPECT_TRUE(options_.asset.channels.push_back(channel));
        }
        EXPECT_TRUE(options_.asset.features.push_back({.channel = 0}));
        EXPECT_TRUE(options_.asset.features.push_back({.channel = 1}));
        options_.provisioning.device = "7";
    }

    void SetUp() override {
        ASSERT_TRUE(disk_.make_directories("/pki"));
        ASSERT_TRUE(disk_.make_directories("/nodes/7"));
        const std::string ca_key = *tls_.make_key();
        const std::string ca = *tls_.make_ca(ca_key, "test", 10);
        const auto issue = [&](const std::string& folder, tls::Subject subject) {
            const std::string key = *tls_.make_key();
            const std::string request = *tls_.make_request(key, subject.common_name);
            const std::string leaf = *tls_.issue(ca_key, ca, request, subject, 10);
            EXPECT_TRUE(disk_.replace(folder + "/key.pem", key));
            EXPECT_TRUE(disk_.replace(folder + "/certificate.pem", leaf + ca));
            EXPECT_TRUE(disk_.replace(folder + "/ca.pem", ca));
        };
        tls::Subject server;
        server.common_name = "server";
        server.ip_addresses = {"127.0.0.1"};
        server.server = true;
        issue("/pki", server);
        tls::Subject device;
        device.common_name = "7";
        device.uri = "urn:stator:sensor:7";
        device.client = true;
        issue("/nodes/7", device);
        for (const char* folder : {"/", "/pki", "/nodes", "/nodes/7"})
            ASSERT_TRUE(disk_.sync_directory(folder));
        http::ListenOptions listen;
        listen.certificate_file = "/pki/certificate.pem";
        listen.key_file = "/pki/key.pem";
        listen.client_ca_file = "/pki/ca.pem";
        auto made = http_.listen(listen, [](const http::Request& /*request*/) {
            http::Response response;
            response.body = "TRUE";
            return response;
        });
        ASSERT_TRUE(made) << made.error().what;
        server_ = *std::move(made);
        options_.provisioning.devices_url = "https://127.0.0.1:" + std::to_string(server_->port());
        options_.provisioning.models_url = options_.provisioning.devices_url;
        switch_on();
    }

    void switch_on() {
        auto made = Device::make(doors_, options_, machine_, machine_);
        ASSERT_TRUE(made) << made.error().what;
        device_ = *std::move(made);
    }

    void note_end() {
        const node::Status status = device_->status();
        last_seq_[status.boot] = status.seq;
        shed_ += status.shed;
    }

    void end_orderly() {
        for (int i = 0; i < 200 && !device_->leave(); ++i) {
        }
        note_end();
        in_ram_ += device_->status().waiting - device_->status().in_flash;
        device_.reset();
        ++restarts_;
        switch_on();
    }

    void cut_power() {  // before some operation of the disk, soon
        disk_.cut_power_before(disk_.operations() + random_() % 40);
        for (int i = 0; i < 3'000 && !disk_.power_is_off(); ++i)
            turn();
        note_end();
        in_ram_ += device_->status().waiting - device_->status().in_flash;
        device_.reset();
        disk_.restart(static_cast<disk::Survival>(random_() % 3));
        ++cuts_;
        switch_on();
    }

    void turn() {
        mqtt_.step();
        while (device_->step() && ++steps_ % 64 != 0) {
        }
        mqtt_.step();
        clock_.wait_us(100'000);
    }

    void run(std::int64_t seconds) {
        const std::int64_t end_us = clock_.monotonic_us() + seconds * second_us;
        while (clock_.monotonic_us() < end_us)
            turn();
    }

    bool calm() {  // all is well, until the site has everything
        mqtt_.set_link({});
        if (!mqtt_.running()) mqtt_.start(&site_);
        site_.set_hold(false);
        for (int i = 0; i < 600; ++i) {
            run(1);
            if (device_->status().waiting <= 2 && device_->status().in_flash == 0) return true;
        }
        return false;
    }

    void misfortune() {
        const std::int64_t seconds = 20 + random_() % (is_long_ ? 1'800 : 120);
        const std::size_t kind = random_() % misfortunes_.size();
        ++misfortunes_.at(kind);
        switch (kind) {
            case 0:
                mqtt_.kill();
                run(seconds);
                mqtt_.start(&site_);
                break;
            case 1:
                mqtt_.set_link({.cut_chance = 0.02, .lost_acknowledgement_chance = 0.02});
                run(seconds);
                mqtt_.set_link({});
                break;
            case 2:
                site_.set_hold(true);
                run(seconds);
                site_.set_hold(false);
                break;
            case 3:
                end_orderly();
                break;
            case 4:
                mqtt_.kill();
                run(seconds);
                cut_power();
                run(seconds / 4);
                mqtt_.start(&site_);
                break;
            default:
                cut_power();
                break;
        }
        run(30);
    }

    const bool is_long_ = std::getenv("STATOR_LONG") != nullptr;
    std::mt19937 random_{2};
    clock::VirtualClock clock_{today_unix_ms};
    chance::SeededChance chance_{3};
    disk::SimulatedDisk disk_;
    Silence journal_;
    tls::SimulatedTls tls_{chance_, clock_};
    http::SimulatedHttp http_{disk_, tls_, clock_, journal_};
    Site site_;
    mqtt::SimulatedMqtt mqtt_{clock_, chance_};
    NoDatabases databases_;
    doors::Doors doors_{clock_, disk_, chance_, mqtt_, http_, tls_, databases_, journal_};
    std::unique_ptr<http::Server> server_;
    Machine machine_;
    DeviceOptions options_;
    std::unique_ptr<Device> device_;
    std::map<std::uint32_t, std::uint64_t> last_seq_;
    std::uint64_t shed_ = 0;
    std::uint64_t in_ram_ = 0;  // when it was switched off
    std::uint64_t steps_ = 0;
    std::array<int, 6> misfortunes_{};  // how often each kind came
    int restarts_ = 0;
    int cuts_ = 0;
};

TEST_F(Soak, NothingIsLostThatTheDeviceCouldHoldEveryGapIsDeclaredAndNothingGrows) {
    run(60);
    ASSERT_TRUE(calm());
    std::int64_t blocks_before = 0;
    const std::int64_t end_us = (is_long_ ? 24 : 3) * 3'600 * second_us;
    std::int64_t grown_most = 0;
    int calms = 0;
    while (clock_.monotonic_us() < end_us) {
        for (int i = 0; i < 3; ++i)
            misfortune();
        ASSERT_TRUE(calm()) << "waiting " << device_->status().waiting << " in flash "
                            << device_->status().in_flash << " boot " << device_->status().boot;
        // What the site keeps for the test: a node of a map and a vector a boot, and the ends.
        const auto own = static_cast<std::int64_t>(2 * site_.boots.size() + last_seq_.size());
        const std::int64_t blocks = blocks_live - own;
        if (++calms == 1) blocks_before = blocks;
        grown_most = std::max(grown_most, blocks - blocks_before);
    }
    note_end();
    std::uint64_t said = 0;
    std::uint64_t lost = 0;
    std::uint64_t silent = 0;
    for (const auto& [number, last] : last_seq_) {
        for (std::uint64_t seq = 1; seq <= last; ++seq) {
            ++said;
            const auto heard = site_.boots[number].heard[seq];
            lost += (heard & 1U) == 0 ? 1 : 0;
            silent += heard == 0 ? 1 : 0;
        }
    }
    fmt::print(
        "{} s, {} said, {} received, {} again, {} lost ({} in RAM at {} cuts, {} shed), {} gaps, "
        "{} "
        "orderly restarts, {} after their gap, {} blocks more\n",
        clock_.monotonic_us() / second_us,
        said,
        site_.received,
        site_.again,
        lost,
        in_ram_,
        cuts_,
        shed_,
        site_.gaps,
        restarts_,
        site_.late,
        grown_most
    );
    EXPECT_EQ(silent, 0U);
    EXPECT_LE(lost, in_ram_ + shed_);
    EXPECT_EQ(site_.passed_over, 0U);
    EXPECT_GT(*std::ranges::min_element(misfortunes_), 2);
    EXPECT_GT(cuts_, 5);
    EXPECT_GT(lost, 0U) << "or no gap had to be declared";
    EXPECT_GT(site_.again, 0U);
    EXPECT_GT(said, is_long_ ? 80'000U : 10'000U);
    EXPECT_LE(grown_most, 60);  // what is under way at one moment and not at another
}

}  // namespace
}  // namespace stator::host
