#include "learn/pipeline/pipeline.h"

#include "shared/bundle/manifest.h"
#include "shared/tinyml/model.h"
#include "store/stream/tape.h"
#include "world/chance/seeded.h"
#include "world/clock/virtual.h"
#include "world/database/sqlite.h"
#include "world/disk/simulated.h"
#include "world/http/simulated.h"
#include "world/journal/recorded.h"
#include "world/json/json.h"
#include "world/mqtt/simulated.h"
#include "world/tls/simulated.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <zip.h>

#include <cmath>
#include <random>

namespace stator::pipeline {
namespace {

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

std::map<std::string, std::string> unzipped(const std::string& bytes) {
    std::map<std::string, std::string> made;
    zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, nullptr);
    zip_t* archive = zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, nullptr);
    EXPECT_NE(archive, nullptr);
    if (archive == nullptr) return made;
    for (zip_int64_t i = 0; i < zip_get_num_entries(archive, 0); ++i) {
        zip_stat_t facts;
        EXPECT_EQ(zip_stat_index(archive, static_cast<zip_uint64_t>(i), 0, &facts), 0);
        zip_file_t* file = zip_fopen_index(archive, static_cast<zip_uint64_t>(i), 0);
        std::string content(facts.size, '\0');
        EXPECT_EQ(
            zip_fread(file, content.data(), content.size()),
            static_cast<zip_int64_t>(content.size())
        );
        zip_fclose(file);
        made[facts.name] = content;
    }
    zip_discard(archive);
    return made;
}

// A model as tinyml runs it, with what it needs.
struct Ready {
    explicit Ready(std::string tflite) : file{std::move(tflite)} {
        tinyml::Reason reason;
        const auto needs = tinyml::check(std::as_bytes(std::span{file}), reason);
        EXPECT_TRUE(needs) << reason.view();
        arena.resize(needs->arena_bytes);
        model = *tinyml::Model::load(std::as_bytes(std::span{file}), arena, reason);
    }

    double run(const quantise::Row& row) {
        float out = 0;
        model->invoke(row, std::span{&out, 1});
        return static_cast<double>(out);
    }

    std::string file;
    std::vector<std::byte> arena;
    std::optional<tinyml::Model> model;
};

class PipelineTest : public testing::Test {
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
    clock::VirtualClock clock{1'700'000'000'000};
    chance::SeededChance chance{1};
    disk::SimulatedDisk disk;
    journal::RecordedJournal journal;
    tls::SimulatedTls tls{chance, clock};
    http::SimulatedHttp http{disk, tls, clock, journal};
    mqtt::SimulatedMqtt mqtt{clock, chance};
    database::SimulatedDatabases databases;
    doors::Doors doors{
        .clock = clock,
        .disk = disk,
        .chance = chance,
        .mqtt = mqtt,
        .http = http,
        .tls = tls,
        .databases = databases,
        .journal = journal
    };
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

TEST_F(PipelineTest, TheFirstRowsBecomeTwoPromotedModelsThatEveryReceiverCanRun) {
    record(240, 0.0F);
    turn();
    ASSERT_THAT(published, SizeIs(1));
    EXPECT_THAT(published[0], HasSubstr("train-model"));
    ASSERT_THAT(registry.promoted, SizeIs(2)) << journal.text();
    EXPECT_THAT(registry.full, SizeIs(2));
    int level = 0;
    for (const std::string& name : registry.promoted) {
        EXPECT_THAT(name, testing::EndsWith("-model.tflite"));
        const auto manifest = bundle::parse(registry.manifests.at(name));
        ASSERT_TRUE(manifest);
        EXPECT_EQ(manifest->name.view(), name);
        EXPECT_EQ(manifest->level, static_cast<std::uint32_t>(++level));
        EXPECT_EQ(manifest->feature_set, asset::feature_set_hash(motor));
        const std::string& file = registry.quantised.at(name);
        EXPECT_EQ(
            tls::hex(manifest->tflite_sha256.data(), manifest->tflite_sha256.size()),
            tls::sha256_hex(file)
        );
        std::vector<std::byte> arena(manifest->arena_bytes);
        tinyml::Reason reason;
        auto model = tinyml::Model::load(std::as_bytes(std::span{file}), arena, reason);
        ASSERT_TRUE(model) << reason.view();
        bundle::Refusal refusal;
        EXPECT_TRUE(bundle::run_golden(*manifest, *model, refusal)) << refusal.view();
        const auto& values = manifest->golden.values;
        EXPECT_LT(values[10], 0.2F);
        EXPECT_GT(values[manifest->golden.steps - 1], 0.8F);
    }
    EXPECT_EQ(tape.committed, tape.records.size());
}

TEST_F(PipelineTest, TheFullPrecisionZipHoldsWhatTheInt8ModelWasMadeOfAndWhatThatCost) {
    record(240, 0.0F);
    turn();
    ASSERT_THAT(registry.promoted, SizeIs(2)) << journal.text();
    ASSERT_THAT(registry.full, SizeIs(2));
    auto zipped = registry.full.begin();
    for (int level = 1; level <= 2; ++level, ++zipped) {
        const std::string& name = registry.promoted[static_cast<std::size_t>(level - 1)];
        const auto entries = unzipped(zipped->second);
        ASSERT_THAT(entries, SizeIs(3));
        const auto draft = nlohmann::json::parse(registry.manifests.at(name));
        const auto manifest = bundle::parse(registry.manifests.at(name));
        const auto constants = nlohmann::json::parse(entries.at("constants.json"));
        const auto card = nlohmann::json::parse(entries.at("card.json"));
        EXPECT_EQ(card, draft.at("card"));
        EXPECT_EQ(constants["feature_set"], draft.at("feature_set"));
        EXPECT_EQ(constants["window_count"], manifest->fold.window_count);
        ASSERT_EQ(constants["features"].size(), motor.features.size());
        for (std::size_t i = 0; i < motor.features.size(); ++i) {
            const auto& feature = constants["features"][i];
            EXPECT_EQ(feature["name"], asset::feature_name(motor, i).view());
            EXPECT_EQ(feature["mean"].get<float>(), manifest->fold.mean[i]);
            EXPECT_EQ(feature["sd"].get<float>(), manifest->fold.sd[i]);
        }
        Ready full{entries.at("model.tflite")};
        Ready small{registry.quantised.at(name)};
        EXPECT_EQ(full.model->needs().input_count, small.model->needs().input_count);
        const train::Trained trained = trained_again(level);
        double sum = 0;
        double worst = 0;
        double flips = 0;
        for (const quantise::Row& row : trained.windows) {
            const double exact = full.run(row);
            const double given = small.run(row);
            sum += std::abs(exact - given);
            worst = std::max(worst, std::abs(exact - given));
            flips += (exact >= 0.5) != (given >= 0.5) ? 1 : 0;
        }
        const auto rows = static_cast<double>(trained.windows.size());
        EXPECT_NEAR(card.at("quantising_mean_loss").get<double>(), sum / rows, 1e-5);
        EXPECT_NEAR(card.at("quantising_worst_loss").get<double>(), worst, 1e-5);
        EXPECT_NEAR(card.at("quantising_flips").get<double>(), flips / rows, 1e-9);
        EXPECT_GT(card.at("quantising_limit_rows").get<int>(), 0);
        EXPECT_GT(card.at("quantising_limit_loss").get<double>(), 0.0);
        EXPECT_LT(card.at("quantising_limit_loss").get<double>(), 0.08);
        EXPECT_EQ(card.at("limit_distance").get<double>(), trained.limit);
        EXPECT_THAT(
            *pipeline->runs().last_judgement(),
            HasSubstr(
                fmt::format("near the limit {:.4f}", card.at("quantising_limit_loss").get<double>())
            )
        );
    }
}

TEST_F(PipelineTest, FewRowsWaitForMore) {
    record(60, 0.0F);
    turn();
    EXPECT_THAT(published, IsEmpty());
    record(60, 0.0F);
    turn();
    EXPECT_THAT(registry.promoted, SizeIs(2));
}

TEST_F(PipelineTest, AMachineThatStaysAsItWasIsNotTrainedAgain) {
    record(240, 0.0F);
    turn();
    record(240, 0.0F);
    turn();
    EXPECT_THAT(published, SizeIs(1));
    EXPECT_THAT(registry.promoted, SizeIs(2));
    EXPECT_TRUE(journal.told("no drift"));
    const auto kept = pipeline->runs().rows("pump-1", runs::Use::kept);
    ASSERT_TRUE(kept);
    EXPECT_THAT(*kept, SizeIs(300));  // a quarter of the first file, and the second
}

TEST_F(PipelineTest, WhatWasRecordedInAnAlarmTrainsOnlyWhenAPersonCallsTheAlarmFalse) {
    record(240, 0.0F);
    turn();
    const std::int64_t from = record(240, 1.0F);
    alarms::Episode episode{
        .device = device,
        .level = 1,
        .start_unix_ms = from + 10'000,
        .end_unix_ms = time_ms,
        .model = "m"
    };
    ASSERT_TRUE(alarms->save(episode));
    turn();
    EXPECT_THAT(registry.promoted, SizeIs(2));
    const auto held = pipeline->runs().rows("pump-1", runs::Use::held);
    ASSERT_TRUE(held);
    EXPECT_THAT(*held, SizeIs(240));  // the ten before the alarm, too

    episode.verdict = "false";
    ASSERT_TRUE(alarms->save(episode));
    record(20, 1.0F);
    turn();
    EXPECT_TRUE(journal.told("drift:")) << journal.text();
    ASSERT_THAT(registry.promoted, SizeIs(4)) << journal.text();
    const auto text = pipeline->runs().last_judgement();
    ASSERT_TRUE(text);
    EXPECT_THAT(*text, HasSubstr("alarms added 0, removed 1"));
    // The new model knows both operating points: neither is drift any more.
    record(240, 0.0F);
    turn();
    record(240, 1.0F);
    turn();
    EXPECT_THAT(registry.promoted, SizeIs(4)) << journal.text();
}

TEST_F(PipelineTest, NothingIsLearntWhileAnAlarmLasts) {
    const std::int64_t from = record(240, 0.0F);
    alarms::Episode episode{
        .device = device, .level = 1, .start_unix_ms = from + 230'000, .model = "m"
    };
    ASSERT_TRUE(alarms->save(episode));
    turn();
    EXPECT_THAT(published, IsEmpty());
    EXPECT_TRUE(journal.told("an alarm lasts"));
}

TEST_F(PipelineTest, ATaskThatIsAnnouncedTwiceIsDoneOnce) {
    record(240, 0.0F);
    command("extract-data", "raw_1.csv");
    turn();
    put_record(published.at(0));
    turn();
    start();
    tape.committed = 0;
    start();
    turn();
    EXPECT_THAT(published, SizeIs(1));
    EXPECT_THAT(registry.promoted, SizeIs(2));
}

TEST_F(PipelineTest, AKillBetweenJudgementAndPromotionTrainsNothingTwice) {
    registry.refuses_promotion = true;
    record(240, 0.0F);
    turn();
    EXPECT_THAT(registry.promoted, IsEmpty());
    start();
    registry.refuses_promotion = false;
    turn(100);
    EXPECT_THAT(registry.promoted, SizeIs(2)) << journal.text();
    EXPECT_THAT(registry.quantised, SizeIs(2));
}

TEST_F(PipelineTest, ARegistryThatIsDownIsAskedAgainUntilItIsBack) {
    registry.down = true;
    record(240, 0.0F);
    turn();
    EXPECT_TRUE(journal.told("failed, again in"));
    EXPECT_EQ(tape.committed, 0U);
    registry.down = false;
    turn(400);
    EXPECT_THAT(registry.promoted, SizeIs(2)) << journal.text();
}

TEST_F(PipelineTest, WhatCanNeverSucceedDoesNotStandInTheWay) {
    command("train-model", "unheard-of.csv");
    registry.raw["torn.csv"] = "deviceID,timeStamp\n1,2,3\n";
    command("extract-data", "torn.csv");
    command("extract-data", "not-there.csv");
    record(240, 0.0F);
    turn(400);
    EXPECT_TRUE(journal.told("unheard-of.csv is given up"));
    EXPECT_TRUE(journal.told("torn.csv is given up"));
    EXPECT_TRUE(journal.told("not-there.csv is given up"));
    EXPECT_THAT(registry.promoted, SizeIs(2)) << journal.text();
}

TEST_F(PipelineTest, ARecommissionedMachineBeginsAnew) {
    record(240, 0.0F);
    turn();
    ASSERT_TRUE(pipeline->runs().recommission("pump-1", time_ms));
    record(240, 1.0F);
    turn();
    EXPECT_THAT(registry.promoted, SizeIs(4)) << journal.text();
    const auto text = pipeline->runs().last_judgement();
    ASSERT_TRUE(text);
    EXPECT_THAT(*text, HasSubstr("commissioning"));
}

}  // namespace
}  // namespace stator::pipeline
