// Ingest in a world of its own, which can die before or after any statement.
#pragma once

#include "store/datasets/registry.h"
#include "store/identity/site_fixture_test.h"
#include "store/ingest/ingest.h"
#include "world/json/json.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <limits>
#include <set>
#include <sstream>

namespace stator::ingest {

using Fixture = identity::SiteFixture;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using testing::UnorderedElementsAreArray;

constexpr const char* pump = "14333616";
constexpr const char* data_topic = "shaded-pole-motor-sensor_data";
constexpr const char* file = "/state/ingest.db";

// When the process is killed: before or after its n-th statement or commit to the stream.
struct Death {
    std::int64_t at = std::numeric_limits<std::int64_t>::max();
    bool after = false;
    std::int64_t count = 0;

    [[nodiscard]] bool came() const { return count > at; }
};

template <typename Verb>
auto mortal(Death& death, const Verb& verb) -> decltype(verb()) {
    if (death.count > death.at) return fail(base::Fault::closed, "killed");
    const bool last = death.count++ == death.at;
    if (last && !death.after) return fail(base::Fault::closed, "killed");
    auto made = verb();
    if (last) return fail(base::Fault::closed, "killed");
    return made;
}

class MortalDatabase final : public database::Database {
  public:
    MortalDatabase(std::unique_ptr<database::Database> inner, Death& death)
        : inner_{std::move(inner)}, death_{death} {}

    Outcome<std::vector<database::Row>> query(
        std::string_view sql, const std::vector<database::Value>& parameters
    ) override {
        return mortal(death_, [&] { return inner_->query(sql, parameters); });
    }

    std::int64_t rows_changed() const override { return inner_->rows_changed(); }

  private:
    std::unique_ptr<database::Database> inner_;
    Death& death_;
};

class MortalDatabases final : public database::Databases {
  public:
    MortalDatabases(database::Databases& inner, Death& death) : inner_{inner}, death_{death} {}

    Outcome<std::unique_ptr<database::Database>> open(
        const std::string& path, database::Access access, std::string_view schema
    ) override {
        auto opened = inner_.open(path, access, schema);
        if (!opened) return opened;
        return std::make_unique<MortalDatabase>(std::move(*opened), death_);
    }

  private:
    database::Databases& inner_;
    Death& death_;
};

// The telemetry class in memory: what was committed stays, what was only taken comes again.
struct Tape final : stream::Stream {
    explicit Tape(Death& its_death) : death{its_death} {}

    Outcome<std::unique_ptr<stream::Source>> open(
        log::Class log_class, const stream::ReaderOptions& options
    ) override;

    Death& death;
    std::vector<log::Record> records;
    std::uint64_t committed = 0;
    stream::ReaderOptions opened;
    log::Class opened_class = log::Class::control;
};

class TapeSource final : public stream::Source {
  public:
    explicit TapeSource(Tape& tape) : tape_{tape}, next_{tape.committed} {}

    Outcome<std::vector<log::Record>> take(std::size_t records_max) override {
        constexpr std::size_t few = 5;  // so that a story has many batches
        std::vector<log::Record> made;
        for (; next_ < tape_.records.size() && made.size() < std::min(few, records_max); ++next_)
            made.push_back(tape_.records[next_]);
        return made;
    }

    Outcome<void> commit(log::Offset next) override {
        return mortal(tape_.death, [&] {
            tape_.committed = next.position;
            return Outcome<void>{};
        });
    }

    void wait(std::int64_t /*timeout_us*/) override {}

    std::uint64_t missed_bytes() override { return 0; }

  private:
    Tape& tape_;
    std::uint64_t next_;
};

Outcome<std::unique_ptr<stream::Source>> Tape::open(
    log::Class log_class, const stream::ReaderOptions& options
) {
    opened = options;
    opened_class = log_class;
    return std::make_unique<TapeSource>(*this);
}

asset::Asset pump_1() {
    asset::Asset motor = asset::shaded_pole_motor();
    motor.id = "pump-1";
    motor.device = pump;
    return motor;
}

// Ingest, the training datastore, a broker, and an onlooker on control-message.
class IngestWorld {
  public:
    IngestWorld() {
        datasets = datasets::Registry::make(world.doors, access, Fixture::state).value();
        listen();
        onlooker = world.mqtt.connect({.client_id = "onlooker"}).value();
        EXPECT_TRUE(onlooker->subscribe("control-message", 1));
    }

    void listen() {
        server = world.http
                     .listen(
                         {.port = 30008,
                          .certificate_file = world.site.pki("server.pem"),
                          .key_file = world.site.pki("server.key"),
                          .client_ca_file = world.site.pki("ca.pem")},
                         [this](const http::Request& request) { return datasets->handle(request); }
                     )
                     .value();
    }

    Outcome<void> start() {
        ingest.reset();
        Options options;
        options.file = file;
        options.assets = assets;
        options.rows_max = rows_max;
        options.upload_url = "https://127.0.0.1:30008/upload";
        options.ca_file = world.site.pki("ca.pem");
        options.certificate_file = world.site.pki("ingest.pem");
        options.key_file = world.site.pki("ingest.key");
        options.mqtt.client_id = "ingest";
        auto made = Ingest::make(doors, tape, std::move(options));
        if (!made) return std::unexpected(made.error());
        ingest = std::move(*made);
        return {};
    }

    void put(const std::string& payload, const std::string& topic = data_topic) {
        const std::uint64_t at = tape.records.size();
        tape.records.push_back(
            {.offset = {.epoch = 1, .position = at},
             .next = {.epoch = 1, .position = at + 1},
             .receive_unix_ms = 1'700'000'000'000 + static_cast<std::int64_t>(at),
             .topic = topic,
             .sender = pump,
             .payload = payload}
        );
    }

    // A reading whose time is its number: so a row says which reading it was.
    void reading(const std::string& device, int seq, int boot = 1) {
        put(fmt::format(
            R"({{"deviceID":"{}","current":0.5,"temperature":41.25,"vibration":0.125,"sound":2,)"
            R"("timeStamp":"{}","boot":{},"seq":{},"features":{{"vibration_crest":3.5}}}})",
            device,
            boot * 1000 + seq,
            boot,
            seq
        ));
    }

    // Until nothing happens any more; false when the process has died.
    bool run() {
        for (int idle = 0; idle < 30;) {
            const auto worked = ingest->step();
            if (!worked) {
                trouble = worked.error();
                return false;
            }
            const bool broker = world.mqtt.step();
            for (const mqtt::Event& event : onlooker->poll())
                if (event.kind == mqtt::Event::Kind::message)
                    commands.push_back(event.message.payload);
            world.clock.wait_us(100'000);
            idle = *worked || broker ? 0 : idle + 1;
        }
        return true;
    }

    std::vector<std::string> names() {
        auto request = Fixture::request("GET", "/", Fixture::service);
        request.headers["accept"] = "application/json";
        return nlohmann::json::parse(datasets->handle(request).body);
    }

    std::string content(const std::string& name) {
        return datasets->handle(Fixture::request("GET", "/" + name, Fixture::service)).body;
    }

    std::vector<std::string> rows(const std::string& name) {
        std::istringstream text{content(name)};
        std::vector<std::string> made;
        for (std::string line; std::getline(text, line);)
            made.push_back(line);
        return made;
    }

    // "device,time" of every uploaded row, in the order of the files.
    std::vector<std::string> uploaded() {
        std::vector<std::string> made;
        for (const std::string& name : names()) {
            auto lines = rows(name);
            for (std::size_t i = 1; i < lines.size(); ++i)
                made.push_back(lines[i].substr(0, lines[i].find(',', lines[i].find(',') + 1)));
        }
        return made;
    }

    // The announced files, each once.
    std::set<std::string> announced() {
        std::set<std::string> made;
        for (const std::string& text : commands) {
            const auto command = nlohmann::json::parse(text);
            EXPECT_EQ(command["command"], "extract-data");
            made.insert(command["payload"].get<std::string>());
        }
        return made;
    }

    Fixture world;
    Death death;
    MortalDatabases mortal_databases{world.databases, death};
    doors::Doors doors{
        world.clock,
        world.disk,
        world.chance,
        world.mqtt,
        world.http,
        world.tls,
        mortal_databases,
        world.journal
    };
    identity::Access access{world.tokens};
    std::unique_ptr<datasets::Registry> datasets;
    std::unique_ptr<http::Server> server;
    std::unique_ptr<mqtt::Client> onlooker;
    Tape tape{death};
    std::vector<asset::Asset> assets{pump_1()};
    std::uint32_t rows_max = 4;
    std::unique_ptr<Ingest> ingest;
    std::vector<std::string> commands;
    Error trouble{};
};

class IngestTest : public testing::Test {
  protected:
    void start() {
        const auto started = it.start();
        ASSERT_TRUE(started) << started.error().what;
    }

    void run() { ASSERT_TRUE(it.run()) << it.trouble.what; }

    IngestWorld it;
};

}  // namespace stator::ingest
