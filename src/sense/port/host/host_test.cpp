#include "sense/hal/conformance.h"
#include "sense/node/record_log.h"
#include "sense/port/host/file_flash.h"
#include "sense/port/host/http_fetch.h"
#include "sense/port/host/mqtt_link.h"
#include "sense/port/host/provisioning.h"
#include "sense/port/host/sample_files.h"
#include "shared/signal/extract.h"
#include "world/chance/seeded.h"
#include "world/clock/virtual.h"
#include "world/disk/simulated.h"
#include "world/http/simulated.h"
#include "world/journal/recorded.h"
#include "world/mqtt/simulated.h"
#include "world/tls/simulated.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <vector>

namespace stator::host {
namespace {

constexpr std::int64_t today_unix_ms = 1'795'400'000'000;

// Databases that nobody here opens.
class NoDatabases final : public database::Databases {
  public:
    Outcome<std::unique_ptr<database::Database>> open(
        const std::string& path, database::Access /*access*/, std::string_view /*schema*/
    ) override {
        return fail(base::Fault::not_found, path);
    }
};

struct World {
    clock::VirtualClock clock{today_unix_ms};
    chance::SeededChance chance{3};
    disk::SimulatedDisk disk;
    journal::RecordedJournal journal;
    tls::SimulatedTls tls{chance, clock};
    http::SimulatedHttp http{disk, tls, clock, journal};
    mqtt::SimulatedMqtt mqtt{clock, chance};
    NoDatabases databases;
    doors::Doors doors{clock, disk, chance, mqtt, http, tls, databases, journal};
};

TEST(FileFlash, ConformsAlsoWhenItIsOpenedAgainForEachQuestion) {
    World world;
    ASSERT_TRUE(world.disk.make_directories("/d"));
    std::unique_ptr<FileFlash> flash;
    const auto open = [&]() -> hal::Flash& {
        auto opened = FileFlash::open(world.disk, "/d/flash.bin", 8 * FileFlash::sector_size);
        EXPECT_TRUE(opened);
        flash = *std::move(opened);
        return *flash;
    };
    EXPECT_EQ(hal::check_flash(open), "");
}

TEST(FileFlash, ABitCannotBeSetWithoutErasing) {
    World world;
    ASSERT_TRUE(world.disk.make_directories("/d"));
    auto flash = FileFlash::open(world.disk, "/d/f", 2 * FileFlash::sector_size);
    ASSERT_TRUE(flash);
    constexpr std::array<std::byte, 4> zero{};
    constexpr std::array<std::byte, 4> one = {std::byte{1}};
    ASSERT_TRUE((*flash)->program(0, zero));
    EXPECT_EQ((*flash)->program(0, one).error(), base::Fault::bad_input);
}

// Through the kernel's file, and by what stands behind it for the channels without one.
TEST(SampleFiles, ConformAsAPortsConvertersMust) {
    class Others final : public hal::Adc {
      public:
        base::Result<void> read(std::size_t, std::span<std::uint16_t> counts) override {
            std::ranges::fill(counts, std::uint16_t{5});
            return {};
        }
    };

    const std::string path = testing::TempDir() + "sample_files_conform";
    std::vector<std::uint16_t> samples(1'000, 2'048);  // less than a frame: it begins again
    std::FILE* file = std::fopen(path.c_str(), "wb");
    ASSERT_NE(file, nullptr);
    ASSERT_EQ(std::fwrite(samples.data(), 2, samples.size(), file), samples.size());
    ASSERT_EQ(std::fclose(file), 0);
    Others others;
    SampleFiles sources{others};
    ASSERT_TRUE(sources.open(1, path));
    std::vector<std::uint16_t> frame(signal::waveform_samples);
    EXPECT_EQ(hal::check_adc(sources, 3, 4095, frame), "");
    EXPECT_EQ(std::remove(path.c_str()), 0);
}

// A pipe gives what has come, in the middle of a sample too; a file's end is a hole.
TEST(SampleFiles, WhatIsTakenIsEverySampleInItsOrder) {
    class Others final : public hal::Adc {
      public:
        base::Result<void> read(std::size_t, std::span<std::uint16_t>) override { return {}; }
    };

    const std::string pipe = testing::TempDir() + "sample_files_pipe";
    const std::string file = testing::TempDir() + "sample_files_whole";
    std::remove(pipe.c_str());
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    Others others;
    SampleFiles sources{others};
    ASSERT_TRUE(sources.open(0, pipe));
    const int writer = ::open(pipe.c_str(), O_WRONLY | O_CLOEXEC);
    ASSERT_GE(writer, 0);
    std::vector<std::uint16_t> got;
    std::array<std::uint16_t, 7> piece{};
    std::vector<std::uint16_t> given(1'000);
    for (std::size_t i = 0; i < given.size(); ++i)
        given[i] = static_cast<std::uint16_t>(i);
    const auto bytes = std::as_bytes(std::span{given});
    EXPECT_EQ(sources.follow(0, piece), 0U) << "nothing has come";
    for (std::size_t at = 0; at < bytes.size();) {
        const std::size_t some = std::min<std::size_t>(1 + at % 9, bytes.size() - at);
        ASSERT_EQ(::write(writer, &bytes[at], some), static_cast<ssize_t>(some));
        at += some;
        for (;;) {
            const auto count = sources.follow(0, piece);
            ASSERT_TRUE(count);
            if (*count == 0) break;
            got.insert(
                got.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(*count)
            );
        }
    }
    EXPECT_EQ(got, given);
    ::close(writer);
    EXPECT_EQ(std::remove(pipe.c_str()), 0);

    std::FILE* out = std::fopen(file.c_str(), "wb");
    ASSERT_NE(out, nullptr);
    ASSERT_EQ(std::fwrite(given.data(), 2, 10, out), 10U);
    ASSERT_EQ(std::fclose(out), 0);
    ASSERT_TRUE(sources.open(1, file));
    EXPECT_EQ(sources.follow(1, piece), 7U);
    EXPECT_EQ(sources.follow(1, piece), 3U);
    EXPECT_EQ(sources.follow(1, piece).error(), base::Fault::closed);
    EXPECT_EQ(sources.follow(1, piece), 7U);
    EXPECT_EQ(piece[0], 0U);
    EXPECT_EQ(sources.follow(2, piece).error(), base::Fault::not_found)
        << "no file, none behind it";
    EXPECT_EQ(std::remove(file.c_str()), 0);
}

// The disk's own idea of a power cut below the flash: unsynced bytes are there, gone or torn.
TEST(FileFlash, ARecordSurvivesAPowerCutAtEveryOperationOfTheDisk) {
    int cuts = 0;
    int half_written = 0;
    for (std::uint64_t cut = 0;; ++cut) {
        bool off = false;
        for (const auto survival :
             {disk::Survival::none, disk::Survival::random, disk::Survival::all}) {
            disk::SimulatedDisk disk{cut + 1};
            ASSERT_TRUE(disk.make_directories("/d"));
            ASSERT_TRUE(disk.sync_directory("/"));
            disk.cut_power_before(disk.operations() + cut);
            std::uint32_t written = 0;
            {
                auto flash = FileFlash::open(disk, "/d/f", 2 * FileFlash::sector_size);
                for (std::uint32_t i = 1; flash && i <= 300; ++i) {
                    if (!node::RecordLog(**flash, 0, 77).append({i, 0, 0, 0, 0})) break;
                    written = i;
                }
            }
            if (!disk.power_is_off()) continue;
            off = true;
            ++cuts;
            disk.restart(survival);
            auto flash = FileFlash::open(disk, "/d/f", 2 * FileFlash::sector_size);
            ASSERT_TRUE(flash) << flash.error().what;
            node::RecordLog log{**flash, 0, 77};
            const std::uint32_t found = log.last() ? (*log.last())[0] : 0;
            ASSERT_TRUE(found == written || found == written + 1) << cut << ' ' << found;
            half_written += found == written + 1 ? 1 : 0;
            ASSERT_TRUE(log.append({1'000, 0, 0, 0, 0}));
        }
        if (!off) break;
        if (cut > 40) cut += 36;  // the middle of a sector is like its beginning
    }
    EXPECT_GT(cuts, 100);
    EXPECT_GT(half_written, 10);
}

class LinkTest : public testing::Test {
  protected:
    static mqtt::Options options() {
        mqtt::Options options;
        options.client_id = "7";
        return options;
    }

    // Turns the world until the link says something, for at most ten minutes of its time.
    std::vector<hal::LinkEvent::Kind> turn(int turns = 60) {
        std::vector<hal::LinkEvent::Kind> kinds;
        for (int i = 0; i < turns; ++i) {
            world_.clock.wait_us(10'000);
            world_.mqtt.step();
            hal::LinkEvent event;
            while (link_.poll(event)) {
                kinds.push_back(event.kind);
                if (event.kind == hal::LinkEvent::Kind::message)
                    messages_.push_back(
                        std::string{event.topic} + ' ' + std::string{event.payload}
                    );
            }
        }
        return kinds;
    }

    World world_;
    MqttLink link_{world_.mqtt, world_.clock, world_.chance, options()};
    std::vector<std::string> messages_;
};

using Kind = hal::LinkEvent::Kind;

TEST_F(LinkTest, ConnectsSubscribesPublishesAndIsAcknowledged) {
    EXPECT_EQ(link_.publish("t", "early").error(), base::Fault::again);
    ASSERT_TRUE(link_.subscribe("stator/devices/7/command"));
    EXPECT_EQ(turn(), (std::vector{Kind::connected}));
    ASSERT_TRUE(link_.publish("t", "one"));
    EXPECT_EQ(turn(), (std::vector{Kind::acknowledged}));
    world_.mqtt.publish_to("7", "stator/devices/7/command", "go", 1);
    EXPECT_EQ(turn(), (std::vector{Kind::message}));
    EXPECT_EQ(messages_, (std::vector<std::string>{"stator/devices/7/command go"}));
}

TEST_F(LinkTest, AfterABrokersDeathItConnectsAgainAndSendsNothingOfItsOwnAccord) {
    ASSERT_TRUE(link_.subscribe("down"));
    static_cast<void>(turn());
    auto listener = world_.mqtt.connect({.client_id = "listener"});
    ASSERT_TRUE(listener);
    ASSERT_TRUE((*listener)->subscribe("t", 1));
    static_cast<void>((*listener)->poll());
    ASSERT_TRUE(link_.publish("t", "in flight"));
    world_.mqtt.kill();
    const auto lost = turn();  // and attempts that fail
    EXPECT_EQ(std::ranges::count(lost, Kind::disconnected), std::ssize(lost));
    EXPECT_GT(lost.size(), 0U);
    EXPECT_FALSE(link_.reason().empty());
    world_.mqtt.start(nullptr);
    const auto kinds = turn(2'000);
    EXPECT_EQ(std::ranges::count(kinds, Kind::connected), 1);
    EXPECT_EQ(std::ranges::count(kinds, Kind::acknowledged), 0);
    world_.mqtt.publish_to("7", "down", "again", 1);
    EXPECT_EQ(turn(), (std::vector{Kind::message}));
}

class EnrolTest : public testing::Test {
  protected:
    void SetUp() override {
        ASSERT_TRUE(world_.disk.make_directories("/pki"));
        ca_key_ = *world_.tls.make_key();
        ca_ = *world_.tls.make_ca(ca_key_, "test", 10);
        const std::string key = *world_.tls.make_key();
        const std::string request = *world_.tls.make_request(key, "server");
        tls::Subject subject;
        subject.common_name = "server";
        subject.ip_addresses = {"127.0.0.1"};
        subject.server = true;
        const std::string leaf = *world_.tls.issue(ca_key_, ca_, request, subject, 10);
        ASSERT_TRUE(world_.disk.replace("/pki/server.pem", leaf + ca_));
        ASSERT_TRUE(world_.disk.replace("/pki/server.key", key));
        ASSERT_TRUE(world_.disk.replace("/pki/ca.pem", ca_));
        http::ListenOptions options;
        options.certificate_file = "/pki/server.pem";
        options.key_file = "/pki/server.key";
        options.client_ca_file = "/pki/ca.pem";
        auto server = world_.http.listen(options, [this](const http::Request& request_in) {
            return answer(request_in);
        });
        ASSERT_TRUE(server) << server.error().what;
        server_ = *std::move(server);
        provisioning_.device = "7";
        provisioning_.devices_url = "https://127.0.0.1:" + std::to_string(server_->port());
        provisioning_.models_url = provisioning_.devices_url;
        provisioning_.code = "once";
        provisioning_.ca_sha256 = world_.tls.inspect(ca_)->sha256_hex;
    }

    http::Response answer(const http::Request& request) {
        ++requests_;
        peer_ = request.peer_uri;
        if (request.path == "/quantized/m") {
            range_ = request.headers.contains("range") ? request.headers.at("range") : "";
            http::Response response;
            response.body = "0123456789";
            return response;
        }
        if (request.body.find("\"once\"") == std::string::npos)
            return http::problem(403, "Denied", "the code is wrong");
        const auto root = wire_request(request.body);
        tls::Subject subject;
        subject.common_name = "7";
        subject.uri = "urn:stator:actor:7";
        subject.client = true;
        auto leaf = world_.tls.issue(ca_key_, ca_, root, subject, 10);
        if (!leaf) return http::problem(400, "Bad request", leaf.error().what);
        http::Response response;
        response.body =
            "{\"certificate\":" + quoted(*leaf) + ",\"ca\":" + quoted(ca_) + ",\"role\":\"actor\"}";
        return response;
    }

    static std::string quoted(const std::string& text) {
        std::string json = "\"";
        for (const char c : text)
            json += c == '\n' ? std::string{"\\n"} : std::string{c};
        return json + '"';
    }

    static std::string wire_request(const std::string& body) {
        const std::size_t from = body.find("\"request\":\"") + 11;
        std::string text = body.substr(from, body.find('"', from) - from);
        for (std::size_t at = 0; (at = text.find("\\u000a", at)) != std::string::npos;)
            text.replace(at, 6, "\n");
        return text;
    }

    World world_;
    std::string ca_key_;
    std::string ca_;
    std::unique_ptr<http::Server> server_;
    Provisioning provisioning_;
    int requests_ = 0;
    std::string peer_;
    std::string range_;
};

TEST_F(EnrolTest, MakesItsOwnKeyAndKeepsTheCertificateThatItGets) {
    const auto credential = enrol(world_.doors, provisioning_, "/nodes/7");
    ASSERT_TRUE(credential) << credential.error().what;
    const auto certificate = world_.disk.read_all(credential->certificate_file, 65536);
    ASSERT_TRUE(certificate);
    EXPECT_EQ(world_.tls.inspect(*certificate)->uri, "urn:stator:actor:7");
    EXPECT_TRUE(is_enrolled(world_.doors, "/nodes/7"));
    ASSERT_TRUE(enrol(world_.doors, provisioning_, "/nodes/7"));
    EXPECT_EQ(requests_, 1);
}

TEST_F(EnrolTest, AWrongFingerprintIsNotAskedAndAWrongCodeIsTold) {
    Provisioning forged = provisioning_;
    forged.ca_sha256 = std::string(64, 'a');
    EXPECT_FALSE(enrol(world_.doors, forged, "/nodes/7"));
    EXPECT_EQ(requests_, 0);
    Provisioning wrong = provisioning_;
    wrong.code = "twice";
    const auto refused = enrol(world_.doors, wrong, "/nodes/7");
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().what.find("403"), std::string::npos);
    EXPECT_FALSE(is_enrolled(world_.doors, "/nodes/7"));
    EXPECT_TRUE(enrol(world_.doors, provisioning_, "/nodes/7"));
}

TEST_F(EnrolTest, FetchUsesTheCertificateAndGivesARangeAlsoWithoutTheServersHelp) {
    const auto credential = enrol(world_.doors, provisioning_, "/nodes/7");
    ASSERT_TRUE(credential);
    HttpFetch fetch{world_.http, *credential, provisioning_.devices_url, provisioning_.models_url};
    ASSERT_TRUE(fetch.start({.path = "/quantized/m", .offset = 4, .bytes_max = 4}));
    const auto reply = fetch.poll();
    ASSERT_TRUE(reply) << fetch.reason();
    EXPECT_EQ(reply->status, 200);
    EXPECT_EQ(reply->file_bytes, 10U);
    EXPECT_EQ(
        (std::string_view{reinterpret_cast<const char*>(reply->bytes.data()), reply->bytes.size()}),
        "4567"
    );
    EXPECT_EQ(peer_, "urn:stator:actor:7");
    EXPECT_EQ(range_, "bytes=4-7");
    server_.reset();
    ASSERT_TRUE(fetch.start({.path = "/quantized/m", .bytes_max = 4}));
    EXPECT_EQ(fetch.poll().error(), base::Fault::io);
}

TEST(Provisioning, ReadsBackWhatItWroteAndNamesWhatIsMissing) {
    Provisioning provisioning;
    provisioning.device = "7";
    provisioning.code = "a\"b";
    provisioning.model_public_pem = "-----BEGIN\nX\n-----END\n";
    const auto read = parse_provisioning(to_json(provisioning), "p.json");
    ASSERT_TRUE(read) << read.error().what;
    EXPECT_EQ(to_json(*read), to_json(provisioning));
    const auto missing = parse_provisioning(R"({"deviceID":"7"})", "p.json");
    ASSERT_FALSE(missing);
    EXPECT_NE(missing.error().what.find("p.json"), std::string::npos);
    EXPECT_NE(missing.error().what.find("mqttHost"), std::string::npos);
    provisioning.device = "a/b";
    EXPECT_FALSE(parse_provisioning(to_json(provisioning), "p.json"));
}

}  // namespace
}  // namespace stator::host
