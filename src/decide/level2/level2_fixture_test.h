// Level 2 over simulated doors: a log to fill, a broker that hears it, a registry to offer models
// in.
#pragma once

#include "decide/level2/level2.h"
#include "shared/bundle/compose.h"
#include "shared/detect/small_model_test.h"
#include "shared/wire/messages.h"
#include "store/log/writer.h"
#include "store/stream/log_stream.h"
#include "world/chance/seeded.h"
#include "world/clock/virtual.h"
#include "world/database/sqlite.h"
#include "world/disk/simulated.h"
#include "world/http/simulated.h"
#include "world/journal/recorded.h"
#include "world/mqtt/simulated.h"
#include "world/tls/simulated.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace stator::level2 {

constexpr const char* data = "shaded-pole-motor-sensor_data";
constexpr const char* control = "control-message";
constexpr const char* alerts = "motor-failure-alert-level2-inference";

// LOGISTIC(sum of the window - 5): 8 inputs are 2 features in a window of 4.
struct Draft {
    std::string name;
    std::uint32_t release = 1;
    std::string device_class = "motor";
    std::uint32_t level = 2;
    float bias = -5.0F;
    bool keep_state = false;
    bool spoil_golden = false;
    int arena_more = 0;  // than it needs, in its manifest
};

struct Heard {
    std::string topic;
    std::string payload;
};

// A broker that keeps what level 2 says.
struct Hearing final : mqtt::BrokerHooks {
    bool connect(const mqtt::Peer& /*peer*/) override { return true; }

    mqtt::Verdict subscribe(std::uint64_t /*handle*/, std::string_view /*filter*/) override {
        return mqtt::Verdict::accept;
    }

    mqtt::Verdict publish(const mqtt::Publication& publication) override {
        heard.push_back({std::string{publication.topic}, std::string{publication.payload}});
        return mqtt::Verdict::accept;
    }

    bool deliver(std::uint64_t /*handle*/, std::string_view /*topic*/) override { return true; }

    void disconnect(std::uint64_t /*handle*/) override {}

    void tick(mqtt::Broker& /*broker*/) override {}

    std::vector<Heard> heard;
};

class Level2Test : public testing::Test {
  protected:
    Level2Test() {
        writer = log::Writer::open(disk, clock, "/log", {}).value();
        broker.start(&hearing);
        key = tls.make_key().value();
        EXPECT_TRUE(disk.make_directories("/state"));
        EXPECT_TRUE(disk.replace("/state/signing.pub", tls.public_key(key).value()));
        server = http.listen(
                         {.port = 30'007},
                         [this](const http::Request& request) {
                             ++asked[request.path];
                             if (registry_away) return http::problem(503, "Away", "");
                             const auto found = files.find(request.path);
                             if (found == files.end()) return http::problem(404, "Not found", "");
                             http::Response response;
                             response.body = found->second;
                             return response;
                         }
        ).value();
        for (const auto& [device, device_class] :
             {std::pair{"7", "motor"}, std::pair{"8", "motor"}, std::pair{"9", "fan"}})
            options.assets.push_back(asset_of(device, device_class));
        options.state_file = "/state/level2.db";
        options.models.registry_url = "http://127.0.0.1:30007";
        options.models.signing_public_key_file = "/state/signing.pub";
        options.models.directory = "/state";
        options.mqtt.client_id = "level2-1";
    }

    static asset::Asset asset_of(const char* device, const char* device_class) {
        asset::Asset made;
        made.device = device;
        made.device_class = device_class;
        for (const char* name : {"vibration", "temperature"}) {
            asset::Channel channel;
            channel.name = name;
            EXPECT_TRUE(made.channels.push_back(channel));
        }
        EXPECT_TRUE(made.features.push_back({.channel = 0}));
        EXPECT_TRUE(made.features.push_back({.channel = 1}));
        return made;
    }

    // What a kill leaves: the disk, the database and the broker.
    void start() {
        level2.reset();
        auto made = Level2::make(doors, stream, options);
        ASSERT_TRUE(made) << made.error().what;
        level2 = std::move(*made);
    }

    void run(int turns = 30) {
        for (int i = 0; i < turns; ++i) {
            while (broker.step()) {
            }
            const auto worked = level2->step();
            ASSERT_TRUE(worked) << worked.error().what;
            clock.wait_us(1000);
        }
    }

    void put(log::Class log_class, const std::string& topic, const std::string& payload) {
        log::RecordView view;
        view.receive_unix_ms = clock.unix_ms();
        view.topic = topic;
        view.sender = "7";
        view.payload = payload;
        ASSERT_TRUE(writer->append(log_class, view));
        ASSERT_TRUE(writer->sync());
    }

    // Reading `seq` of a device, taken a second of its time after the one before.
    void read(const std::string& device, int seq, float value, const std::string& more = "") {
        put(log::Class::telemetry,
            data,
            fmt::format(
                R"({{"deviceID":"{}","timeStamp":"{}","boot":1,"seq":{},)"
                R"("vibration":{},"temperature":{}{}}})",
                device,
                1'700'000'000'000 + 1000LL * seq,
                seq,
                value,
                value,
                more
            ));
    }

    void order(const std::string& name) {
        put(log::Class::control,
            control,
            R"({"command":"download-model","payload":")" + name + "\"}");
    }

    std::string sign(std::string_view json) {
        std::string text;
        const auto signature = tls.sign(key, json).value();
        for (const std::uint8_t byte : signature)
            text += fmt::format("{:02x}", byte);
        return text + '\n' + std::string{json};
    }

    void offer(const Draft& draft) {
        const detect::SmallModel small{draft.bias, {1, 1, 1, 1, 1, 1, 1, 1}};
        const std::string file{
            reinterpret_cast<const char*>(small.file().data()), small.file().size()
        };
        bundle::Manifest manifest;
        manifest.name = std::string_view{draft.name};
        manifest.device_class = std::string_view{draft.device_class};
        manifest.level = draft.level;
        manifest.release = draft.release;
        manifest.tflite_sha256 = tls::sha256(file);
        manifest.tflite_bytes = file.size();
        tinyml::Reason reason;
        const auto needs = tinyml::check(small.file(), reason);
        ASSERT_TRUE(needs) << reason.view();
        manifest.arena_bytes = needs->arena_bytes + static_cast<std::size_t>(draft.arena_more);
        manifest.feature_set = asset::feature_set_hash(options.assets.front());
        manifest.keep_state = draft.keep_state;
        manifest.fold = parameters();
        std::vector<std::byte> arena(needs->arena_bytes);
        auto model = tinyml::Model::load(small.file(), arena, reason);
        ASSERT_TRUE(model);
        detect::State state;
        manifest.golden.steps = 6;
        for (std::size_t i = 0; i < manifest.golden.steps; ++i) {
            manifest.golden.features[i] = {static_cast<float>(i), 0.5F};
            const std::span<const float> row{manifest.golden.features[i]};
            manifest.golden.values[i] =
                detect::step(state, row.first(2), manifest.fold, *model).value +
                (draft.spoil_golden ? 0.01F : 0.0F);
        }
        std::vector<char> buffer(bundle::envelope_bytes_max);
        const auto json = bundle::compose(manifest, "", buffer);
        ASSERT_TRUE(json);
        files["/manifest/" + draft.name] = sign(*json);
        files["/quantized/" + draft.name] = file;
    }

    static detect::Parameters parameters() {
        detect::Parameters fold;
        fold.feature_count = 2;
        fold.sd.fill(1.0F);
        fold.smooth_count = 1;
        fold.window_count = 4;
        fold.ewma_alpha = 1.0F;
        fold.raise_count = 2;
        fold.clear_count = 2;
        return fold;
    }

    // The alerts so far, each once: a restart may say the last again.
    std::vector<wire::Alert> told() {
        std::map<std::pair<std::uint32_t, std::uint64_t>, wire::Alert> made;
        for (const Heard& one : hearing.heard) {
            if (one.topic != alerts) continue;
            const auto alert = wire::decode_alert(one.payload);
            EXPECT_TRUE(alert) << one.payload;
            made[{alert->boot, alert->seq}] = *alert;
        }
        std::vector<wire::Alert> all;
        for (const auto& [number, alert] : made)
            all.push_back(alert);
        return all;
    }

    // "seconds:alarm:model" of each alert about a device.
    std::vector<std::string> told_about(std::string_view device) {
        std::vector<std::string> made;
        for (const wire::Alert& alert : told())
            if (alert.device.view() == device)
                made.push_back(fmt::format(
                    "{}:{}:{}",
                    (alert.time_unix_ms - 1'700'000'000'000) / 1000,
                    alert.alarm ? "on" : "off",
                    alert.model.view()
                ));
        return made;
    }

    // "state/model" of level 2's own events about models.
    std::vector<std::string> told_of_models() {
        std::vector<std::string> made;
        for (const Heard& one : hearing.heard) {
            if (one.topic != "stator/devices/level2-1/event") continue;
            const auto event = wire::decode_event(one.payload);
            EXPECT_TRUE(event) << one.payload;
            const auto& model = std::get<wire::ModelEvent>(event->what);
            made.push_back(fmt::format("{}/{}", wire::name_of(model.state), model.model.view()));
        }
        return made;
    }

    clock::VirtualClock clock{1'700'000'000'000};
    chance::SeededChance chance{3};
    disk::SimulatedDisk disk{3};
    tls::SimulatedTls tls{chance, clock};
    journal::RecordedJournal journal{clock};
    mqtt::SimulatedMqtt broker{clock, chance};
    http::SimulatedHttp http{disk, tls, clock, journal};
    database::SimulatedDatabases databases;
    doors::Doors doors{clock, disk, chance, broker, http, tls, databases, journal};
    std::unique_ptr<log::Writer> writer;
    stream::LogStream stream{disk, "/log"};
    Hearing hearing;
    std::string key;
    std::map<std::string, std::string> files;  // of the registry, by path
    std::map<std::string, int> asked;
    bool registry_away = false;
    std::unique_ptr<http::Server> server;
    Options options;
    std::unique_ptr<Level2> level2;
};

}  // namespace stator::level2
