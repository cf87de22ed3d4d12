// The pipeline in a world of its own: a registry's side of the contract, and a machine.
#pragma once

#include "learn/pipeline/pipeline.h"
#include "shared/bundle/manifest.h"
#include "shared/tinyml/model.h"
#include "store/stream/tape.h"
#include "world/doors/simulated.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cmath>
#include <random>

namespace stator::pipeline {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* device = "14333616";

// The registry's side of the contract, as far as learning speaks to it.
struct Registry {
    std::map<std::string, std::string> raw;
    std::map<std::string, std::string> normalised;
    std::map<std::string, std::string> quantised;
    std::map<std::string, std::string> full;
    std::map<std::string, std::string> manifests;
    std::vector<std::string> promoted;
    bool down = false;
    bool refuses_promotion = false;

    static http::Response get(
        const std::map<std::string, std::string>& files, const std::string& n
    ) {
        const auto found = files.find(n);
        if (found == files.end()) return http::problem(404, "Not found", n);
        return {.status = 200, .headers = {}, .body = found->second};
    }

    static http::Response put(
        std::map<std::string, std::string>& files, const http::Request& request
    ) {
        const auto parts = http::parse_multipart(request.headers.at("content-type"), request.body);
        if (!parts || parts->size() != 1 || parts->front().name != "file")
            return http::problem(400, "Bad body", "one part named file");
        const auto& part = parts->front();
        if (!files.emplace(part.filename, part.content).second)
            return http::problem(409, "Taken", part.filename);
        return {.status = 200, .headers = {}, .body = {}};
    }

    http::Response handle(const http::Request& request) {
        if (down) return http::problem(503, "Down", "try later");
        const std::string& path = request.path;
        const auto below = [&](std::string_view folder) { return path.starts_with(folder); };
        constexpr std::string_view data = "/normalized_training_data/";
        constexpr std::string_view models = "/api/v1/models/";
        constexpr std::string_view full_models = "/full/";
        if (request.method == "GET" && below(full_models))
            return get(full, path.substr(full_models.size()));
        if (request.method == "GET")
            return below(data) ? get(normalised, path.substr(data.size()))
                               : get(raw, path.substr(1));
        if (path == "/uploadNormalizedData") return put(normalised, request);
        if (path == "/uploadQuantizedModel") return put(quantised, request);
        if (path == "/uploadModel") return put(full, request);
        if (request.method == "PUT" && below("/manifest/")) {
            manifests[path.substr(10)] = request.body;
            return {};
        }
        if (below(models) && path.ends_with("/promote")) {
            if (refuses_promotion) return http::problem(503, "Busy", path);
            promoted.push_back(path.substr(models.size(), path.size() - models.size() - 8));
            return {};
        }
        return http::problem(404, "Not found", path);
    }
};

// A machine whose features wander (first-order autoregressive) around an operating point.
class Surrogate {
  public:
    explicit Surrogate(std::size_t features) : state_(features) {}

    std::vector<float> next(float load) {
        std::vector<float> made;
        for (std::size_t i = 0; i < state_.size(); ++i) {
            state_[i] = 0.9F * state_[i] + 0.436F * normal_(random_);
            const float level = 1.0F + 0.3F * static_cast<float>(i);
            made.push_back(level * (1.0F + 0.02F * state_[i] + (i % 3 == 1 ? 0.4F * load : 0.0F)));
        }
        return made;
    }

  private:
    std::mt19937 random_{11};
    std::normal_distribution<float> normal_{0.0F, 1.0F};
    std::vector<float> state_;
};

class PipelineTest : public testing::Test, protected doors::SimulatedDoors {
  protected:
    PipelineTest() {
        motor.id = "pump-1";
        motor.device = device;
        options.assets = {motor};
        options.state_file = "/learn.db";
        options.extract.alarms_file = "/alarms.db";
        options.mqtt.client_id = "learn";
        auto server = http.listen({.port = 30007}, [this](const http::Request& request) {
            return registry.handle(request);
        });
        EXPECT_TRUE(server);
        servers = std::move(*server);
        options.extract.registry.models_url = "http://127.0.0.1:30007";
        options.extract.registry.datasets_url = "http://127.0.0.1:30007";
        auto gate_client = mqtt.connect({.client_id = "gate"});
        EXPECT_TRUE(gate_client);
        gate = std::move(*gate_client);
        EXPECT_TRUE(gate->subscribe("control-message", 1));
        auto book = alarms::Alarms::open(doors, "/alarms.db", database::Access::write);
        EXPECT_TRUE(book);
        alarms = std::move(*book);
        start();
    }

    // A fresh process on the same database and log.
    void start() {
        pipeline.reset();
        auto made = Pipeline::make(doors, tapes, options);
        ASSERT_TRUE(made) << made.error().what;
        ASSERT_TRUE(tape.opened.required) << "no order may be deleted unread";
        pipeline = std::move(*made);
    }

    void command(const std::string& order, const std::string& payload) {
        put_record(fmt::format(R"({{"command":"{}","payload":"{}"}})", order, payload));
    }

    void put_record(std::string payload) {
        tape.put("control-message", "ingest", std::move(payload), clock.unix_ms());
    }

    // The loop as the site turns it: what is published comes back through the log.
    void turn(int times = 60) {
        for (int i = 0; i < times; ++i) {
            const auto done = pipeline->step();
            ASSERT_TRUE(done) << done.error().what;
            mqtt.step();
            for (const mqtt::Event& event : gate->poll())
                if (event.kind == mqtt::Event::Kind::message) {
                    published.push_back(event.message.payload);
                    put_record(event.message.payload);
                }
            clock.wait_us(100'000);
        }
    }

    // One raw CSV of readings, and its announcement. Returns the time of its first row.
    std::int64_t record(std::size_t rows, float load) {
        const std::string name = fmt::format("raw_{}.csv", ++raws);
        std::string csv = "deviceID,timeStamp";
        for (std::size_t i = 0; i < motor.features.size(); ++i)
            csv += fmt::format(",{}", asset::feature_name(motor, i).view());
        csv += "\n";
        const std::int64_t from = time_ms;
        for (std::size_t r = 0; r < rows; ++r, time_ms += 1000)
            csv += fmt::format("{},{},{}\n", device, time_ms, fmt::join(surrogate.next(load), ","));
        registry.raw[name] = csv;
        command("extract-data", name);
        return from;
    }

    // What the level's model was trained on, made again from the normalised CSV.
    train::Trained trained_again(int level) {
        const auto& [name, csv] = *registry.normalised.begin();
        const auto data_set = pipeline->runs().data_set(name);
        EXPECT_TRUE(data_set && *data_set);
        auto rows = extract::read_normalised(csv, motor, **data_set)->healthy;
        rows.resize(rows.size() - rows.size() / 4);
        return *train::baseline({}, rows, motor.features.size(), level, options.train);
    }

    std::int64_t time_ms = 1'700'000'000'000;
    asset::Asset motor = asset::shaded_pole_motor();
    Surrogate surrogate{motor.features.size()};
    Registry registry;
    Options options;
    stream::Tapes tapes;
    stream::Tape& tape = tapes.of[log::Class::control];
    std::unique_ptr<http::Server> servers;
    std::unique_ptr<mqtt::Client> gate;
    std::unique_ptr<alarms::Alarms> alarms;
    std::vector<std::string> published;
    std::unique_ptr<Pipeline> pipeline;
    int raws = 0;
};

}  // namespace stator::pipeline
