#include "decide/sidecar/sidecar.h"

#include "decide/line/frame.h"
#include "store/log/writer.h"
#include "store/stream/log_stream.h"
#include "world/chance/seeded.h"
#include "world/clock/virtual.h"
#include "world/database/sqlite.h"
#include "world/disk/simulated.h"
#include "world/http/simulated.h"
#include "world/journal/recorded.h"
#include "world/mqtt/simulated.h"
#include "world/sockets/simulated.h"
#include "world/tls/simulated.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace stator::sidecar {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* data = "shaded-pole-motor-sensor_data";
constexpr std::int64_t start_ms = 1'700'000'000'000;

// A foreign server: answers a reading's "vibration" with itself, in its own manner.
struct Foreign {
    std::unique_ptr<sockets::Listener> listener;
    std::vector<std::unique_ptr<sockets::Connection>> peers;
    std::vector<std::string> asked;
    std::string end = "\n";
    std::string instead;  // of a value
    bool silent = false;
    bool closes = false;

    void step() {
        while (listener != nullptr) {
            auto peer = listener->accept().value_or(nullptr);
            if (!peer) break;
            peers.push_back(std::move(peer));
        }
        for (auto& peer : peers) {
            std::string got;
            const auto more = peer->read(got, 4096);
            if (!more || !*more) continue;
            asked.push_back(got);
            if (silent) continue;
            const std::size_t at = got.find("\"vibration\":") + 12;
            const std::string value = got.substr(at, got.find_first_of(",}", at) - at);
            const std::string text =
                instead.empty() ? "inference value from the edge tpu = " + value : instead;
            if (!peer->write(text + end) || closes) peer.reset();
        }
        std::erase(peers, nullptr);
    }
};

struct Hearing final : mqtt::BrokerHooks {
    bool connect(const mqtt::Peer& /*peer*/) override { return true; }

    mqtt::Verdict subscribe(std::uint64_t /*handle*/, std::string_view /*filter*/) override {
        return mqtt::Verdict::accept;
    }

    mqtt::Verdict publish(const mqtt::Publication& publication) override {
        const auto alert = wire::decode_alert(publication.payload);
        EXPECT_TRUE(alert) << publication.payload;
        heard[{alert->boot, alert->seq}] = *alert;
        return mqtt::Verdict::accept;
    }

    bool deliver(std::uint64_t /*handle*/, std::string_view /*topic*/) override { return true; }

    void disconnect(std::uint64_t /*handle*/) override {}

    void tick(mqtt::Broker& /*broker*/) override {}

    std::map<std::pair<std::uint32_t, std::uint64_t>, wire::Alert> heard;  // each once
};

class SidecarTest : public testing::Test {
  protected:
    SidecarTest() {
        writer = log::Writer::open(disk, clock, "/log", {}).value();
        broker.start(&hearing);
        EXPECT_TRUE(disk.make_directories("/state"));
        asset::Asset asset;
        asset.device = "7";
        options.assets.push_back(asset);
        options.state_file = "/state/sidecar.db";
        options.mqtt.client_id = "level2-1";
        start();
        foreign.listener = sockets.listen("127.0.0.1", 9898).value();
    }

    void start() {
        sidecar.reset();
        sidecar = Sidecar::make(doors, stream, sockets, options).value();
    }

    // The last error of these turns, or nothing.
    std::string run(int turns = 100) {
        std::string trouble;
        for (int i = 0; i < turns; ++i) {
            while (broker.step()) {
            }
            foreign.step();
            const auto worked = sidecar->step();
            trouble = worked ? "" : worked.error().what;
            clock.wait_us(1000);
        }
        return trouble;
    }

    void read(int seq, double value) {
        const std::string payload = fmt::format(
            R"({{"deviceID":"7","timeStamp":"{}","boot":1,"seq":{},"vibration":{}}})",
            start_ms + 1000LL * seq,
            seq,
            value
        );
        log::RecordView view;
        view.receive_unix_ms = clock.unix_ms();
        view.topic = data;
        view.sender = "7";
        view.payload = payload;
        ASSERT_TRUE(writer->append(log::Class::telemetry, view));
        ASSERT_TRUE(writer->sync());
    }

    // "seconds:severity" of each alert.
    std::vector<std::string> told() {
        std::vector<std::string> made;
        for (const auto& [number, alert] : hearing.heard)
            made.push_back(fmt::format(
                "{}:{}",
                (alert.time_unix_ms - start_ms) / 1000,
                alert.alarm ? wire::name_of(alert.severity) : "off"
            ));
        return made;
    }

    clock::VirtualClock clock{start_ms};
    chance::SeededChance chance{3};
    disk::SimulatedDisk disk{3};
    tls::SimulatedTls tls{chance, clock};
    journal::RecordedJournal journal{clock};
    mqtt::SimulatedMqtt broker{clock, chance};
    http::SimulatedHttp http{disk, tls, clock, journal};
    database::SimulatedDatabases databases;
    doors::Doors doors{clock, disk, chance, broker, http, tls, databases, journal};
    sockets::SimulatedSockets sockets;
    std::unique_ptr<log::Writer> writer;
    stream::LogStream stream{disk, "/log"};
    Hearing hearing;
    Foreign foreign;
    Options options;
    std::unique_ptr<Sidecar> sidecar;
};

TEST_F(SidecarTest, the_servers_values_become_alerts_at_raise_each_second_and_at_the_end) {
    const std::vector<double> values{0.1, 0.6, 0.9, 0.9, 0.2, 0.1};
    for (std::size_t i = 0; i < values.size(); ++i)
        read(static_cast<int>(i) + 1, values[i]);
    run();
    EXPECT_THAT(told(), ElementsAre("2:potential", "3:imminent", "4:imminent", "5:off"));
    EXPECT_EQ(sidecar->metrics().get("stator_sidecar_records_judged_total"), 6);
    ASSERT_EQ(foreign.asked.size(), 6U);
    EXPECT_EQ(line::next_frame(foreign.asked[0]).cut, line::Cut::object);
}

TEST_F(SidecarTest, a_server_that_ends_no_line_or_closes_after_each_answer_is_understood) {
    foreign.end = "";
    read(1, 0.9);
    read(2, 0.9);
    run();
    EXPECT_THAT(told(), ElementsAre("1:imminent", "2:imminent"));
    foreign.closes = true;
    read(3, 0.9);
    read(4, 0.1);
    run(200);
    EXPECT_THAT(told(), ElementsAre("1:imminent", "2:imminent", "3:imminent", "4:off"));
}

TEST_F(SidecarTest, while_the_server_is_away_the_pauses_grow_and_no_reading_is_lost) {
    foreign.listener.reset();
    read(1, 0.9);
    read(2, 0.9);
    const std::string trouble = run(5000);
    EXPECT_THAT(trouble, HasSubstr("127.0.0.1:9898"));
    // 0.1 + 0.2 + 0.4 + 0.8 + 1.6 s and on: six attempts in five seconds.
    EXPECT_EQ(sidecar->metrics().get("stator_sidecar_attempts_failed_total"), 6);
    foreign.listener = sockets.listen("127.0.0.1", 9898).value();
    EXPECT_EQ(run(6000), "");
    EXPECT_THAT(told(), ElementsAre("1:imminent", "2:imminent"));
}

TEST_F(SidecarTest, a_silent_server_is_asked_the_same_again) {
    foreign.silent = true;
    read(1, 0.9);
    run(5200);
    foreign.silent = false;
    run(6000);
    EXPECT_THAT(told(), ElementsAre("1:imminent"));
    ASSERT_GE(foreign.asked.size(), 2U);
    EXPECT_EQ(foreign.asked[0], foreign.asked[1]);
}

TEST_F(SidecarTest, an_answer_that_is_no_value_is_counted_and_the_next_reading_is_asked_about) {
    read(1, 0.9);
    foreign.instead = "error: no model of class 'motor' runs yet";
    run();
    foreign.instead = std::string(3000, 'x');
    read(2, 0.9);
    run();
    foreign.instead.clear();
    read(3, 0.9);
    run();
    EXPECT_EQ(sidecar->metrics().get("stator_sidecar_answers_refused_total"), 2);
    EXPECT_THAT(told(), ElementsAre("3:imminent"));
}

TEST_F(SidecarTest, kills_at_any_moment_lose_no_alert_and_tell_none_twice) {
    chance::SeededChance dice{4};
    int seq = 0;
    for (int round = 0; round < 60; ++round) {
        for (std::uint64_t some = 1 + dice.below(4); some > 0; --some)
            read(++seq, 0.9);
        run(static_cast<int>(dice.below(12)));
        start();
    }
    run(2000);
    std::map<std::string, int> times;
    for (const std::string& one : told())
        ++times[one];
    EXPECT_EQ(times.size(), static_cast<std::size_t>(seq));
    for (const auto& [one, count] : times)
        EXPECT_EQ(count, 1) << one;
}

TEST_F(SidecarTest, a_late_reading_is_asked_about_once_also_after_a_kill) {
    for (const int seq : {1, 2, 5, 3, 3, 5})
        read(seq, 0.9);
    run(200);
    EXPECT_EQ(foreign.asked.size(), 4U);
    EXPECT_EQ(sidecar->metrics().get("stator_sidecar_duplicates_total"), 2);
    EXPECT_EQ(sidecar->metrics().get("stator_sidecar_late_total"), 1);
    start();
    for (const int seq : {3, 4, 4, 6})
        read(seq, 0.9);
    run(200);
    EXPECT_EQ(foreign.asked.size(), 6U);
    EXPECT_EQ(sidecar->metrics().get("stator_sidecar_duplicates_total"), 2);
    EXPECT_THAT(
        told(),
        ElementsAre(
            "1:imminent", "2:imminent", "5:imminent", "3:imminent", "4:imminent", "6:imminent"
        )
    );
}

TEST_F(SidecarTest, a_late_reading_is_asked_about_again_while_the_server_is_away) {
    foreign.listener.reset();
    for (const int seq : {1, 3, 2})
        read(seq, 0.9);
    run(500);
    foreign.listener = sockets.listen("127.0.0.1", 9898).value();
    run(6000);
    EXPECT_EQ(foreign.asked.size(), 3U);
    EXPECT_EQ(sidecar->metrics().get("stator_sidecar_duplicates_total"), 0);
}

TEST_F(SidecarTest, what_is_of_no_asset_is_not_asked_about) {
    log::RecordView view;
    view.topic = data;
    view.payload = R"({"deviceID":"stranger","vibration":0.9})";
    ASSERT_TRUE(writer->append(log::Class::telemetry, view));
    view.payload = "no JSON";
    ASSERT_TRUE(writer->append(log::Class::telemetry, view));
    ASSERT_TRUE(writer->sync());
    run();
    EXPECT_THAT(foreign.asked, IsEmpty());
    EXPECT_EQ(sidecar->metrics().get("stator_sidecar_records_unreadable_total"), 1);
}

}  // namespace
}  // namespace stator::sidecar
