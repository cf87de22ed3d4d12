#include "store/ingest/ingest.h"

#include "store/datasets/registry.h"
#include "store/identity/site_fixture_test.h"
#include "world/json/json.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <limits>
#include <set>
#include <sstream>

namespace stator::ingest {
namespace {

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

TEST_F(IngestTest, readings_become_a_file_with_the_assets_columns_and_a_command) {
    start();
    EXPECT_EQ(it.tape.opened.name, "ingest");
    EXPECT_TRUE(it.tape.opened.required);
    EXPECT_EQ(it.tape.opened_class, log::Class::telemetry);
    for (int seq = 1; seq <= 4; ++seq)
        it.reading(pump, seq);
    run();
    const auto names = it.names();
    ASSERT_THAT(names, SizeIs(1));
    EXPECT_TRUE(names[0].starts_with("raw_sensor_training_data_2025-11-13T02:13:2")) << names[0];
    const auto lines = it.rows(names[0]);
    ASSERT_THAT(lines, SizeIs(5));
    EXPECT_EQ(
        lines[0],
        "deviceID,timeStamp,current,temperature,vibration,sound,vibration_crest,"
        "vibration_kurtosis,vibration_band_low,vibration_band_mid,vibration_band_high,"
        "vibration_velocity_rms,sound_band_mid,sound_band_high"
    );
    EXPECT_EQ(lines[1], "14333616,1001,0.5,41.25,0.125,2,3.5,,,,,,,");
    EXPECT_THAT(it.announced(), ElementsAre(names[0]));
    EXPECT_THAT(it.commands, SizeIs(1));
}

TEST_F(IngestTest, a_file_waits_until_it_is_full) {
    start();
    for (int seq = 1; seq <= 3; ++seq)
        it.reading(pump, seq);
    run();
    EXPECT_THAT(it.names(), SizeIs(0));
    EXPECT_THAT(it.ingest->status().value(), HasSubstr("\"rows_waiting\":3"));
    start();
    it.reading(pump, 4);
    run();
    EXPECT_THAT(it.rows(it.names().at(0)), SizeIs(5)) << "the rows from before the restart too";
}

TEST_F(IngestTest, what_came_twice_is_one_row_and_is_counted) {
    start();
    for (const int seq : {1, 2, 2, 1, 5, 6})
        it.reading(pump, seq);
    it.reading(pump, 9, 0);  // an older boot
    it.reading(pump, 1, 2);  // a newer one: its numbers begin anew
    run();
    EXPECT_THAT(
        it.uploaded(),
        ElementsAre("14333616,1001", "14333616,1002", "14333616,1005", "14333616,1006")
    );
    const auto device = nlohmann::json::parse(it.ingest->status().value()).at("devices").at(0);
    EXPECT_EQ(device["deviceID"], pump);
    EXPECT_EQ(device["kept"], 5);
    EXPECT_EQ(device["duplicates"], 3);
    EXPECT_EQ(device["seq_not_in_class"], 2);
    EXPECT_EQ(device["boot"], 2);
    const std::string metrics = it.ingest->metrics().render();
    EXPECT_THAT(metrics, HasSubstr("stator_ingest_duplicates_total 3"));
}

TEST_F(IngestTest, a_late_reading_is_a_row_once_also_after_a_restart) {
    start();
    for (const int seq : {1, 2, 5})
        it.reading(pump, seq);
    run();
    start();
    for (const int seq : {3, 3, 5})
        it.reading(pump, seq);
    run();
    EXPECT_THAT(
        it.uploaded(),
        ElementsAre("14333616,1001", "14333616,1002", "14333616,1005", "14333616,1003")
    );
    const auto device = nlohmann::json::parse(it.ingest->status().value()).at("devices").at(0);
    EXPECT_EQ(device["kept"], 4);
    EXPECT_EQ(device["duplicates"], 2);
    EXPECT_EQ(device["seq"], 5);
    EXPECT_THAT(it.ingest->metrics().render(), HasSubstr("stator_ingest_late_total 1"));
}

TEST_F(IngestTest, of_what_an_older_release_kept_all_up_to_its_place_has_come) {
    {
        auto database = it.world.databases.open(
            file,
            database::Access::write,
            "CREATE TABLE seen (device TEXT PRIMARY KEY, boot INTEGER NOT NULL, seq INTEGER NOT "
            "NULL, kept INTEGER NOT NULL, duplicates INTEGER NOT NULL, missing INTEGER NOT NULL);"
        );
        ASSERT_TRUE(database) << database.error().what;
        ASSERT_TRUE((*database)->execute("INSERT INTO seen VALUES (?,1,5,3,0,2)", {pump}));
    }
    start();
    for (const int seq : {3, 5, 6, 8, 7})
        it.reading(pump, seq);
    it.reading(pump, 1, 2);
    run();
    EXPECT_THAT(
        it.uploaded(),
        ElementsAre("14333616,1006", "14333616,1008", "14333616,1007", "14333616,2001")
    );
    const auto device = nlohmann::json::parse(it.ingest->status().value()).at("devices").at(0);
    EXPECT_EQ(device["kept"], 7);
    EXPECT_EQ(device["duplicates"], 2);
    EXPECT_EQ(device["seq_not_in_class"], 3);
}

TEST_F(IngestTest, devices_of_no_asset_have_their_own_file_with_six_columns) {
    start();
    for (int seq = 1; seq <= 4; ++seq) {
        it.reading(pump, seq);
        it.reading(seq % 2 == 0 ? "s1" : "s2", seq);
    }
    run();
    const auto names = it.names();
    ASSERT_THAT(names, SizeIs(2)) << "both were full within the same millisecond";
    std::set<std::string> headers;
    for (const std::string& name : names) {
        EXPECT_THAT(it.rows(name), SizeIs(5));
        headers.insert(it.rows(name)[0]);
    }
    EXPECT_TRUE(headers.contains("deviceID,timeStamp,current,temperature,vibration,sound"));
    EXPECT_THAT(headers, SizeIs(2));
    EXPECT_THAT(it.announced(), SizeIs(2));
}

TEST_F(IngestTest, without_a_time_a_reading_has_the_time_of_its_arrival) {
    start();
    it.put(R"({"deviceID":"s1","current":1,"boot":1,"seq":1})");
    it.put(R"({"deviceID":"s1","current":1})");
    it.put("no json");
    it.put(R"({"deviceID":"s1","current":1,"boot":1,"seq":2})", "another/topic");
    it.rows_max = 2;
    start();
    run();
    EXPECT_THAT(
        it.rows(it.names().at(0)),
        ElementsAre(testing::_, "s1,1700000000000,1,,,", "s1,1700000000001,1,,,")
    );
}

TEST_F(IngestTest, an_upload_is_tried_until_it_is_there_and_nothing_is_said_before) {
    start();
    it.server.reset();
    for (int seq = 1; seq <= 9; ++seq)
        it.reading(pump, seq);
    run();
    EXPECT_THAT(it.commands, SizeIs(0));
    EXPECT_THAT(
        nlohmann::json::parse(it.ingest->status().value()).at("trouble").get<std::string>(),
        testing::Not(testing::IsEmpty())
    );
    it.listen();
    run();
    EXPECT_THAT(it.uploaded(), SizeIs(8));
    EXPECT_THAT(it.announced(), UnorderedElementsAreArray(it.names()));
}

TEST_F(IngestTest, a_name_that_is_anothers_is_left_to_it) {
    start();
    // Every name of the next second is taken.
    const std::int64_t now_ms = it.world.clock.unix_ms();
    for (int ms = 0; ms < 3; ++ms) {
        const auto taken = it.datasets->handle(Fixture::upload(
            "/upload",
            fmt::format("raw_sensor_training_data_2025-11-13T02:13:20:{}.csv", now_ms + ms),
            "other"
        ));
        ASSERT_EQ(taken.status, 200);
    }
    for (int seq = 1; seq <= 4; ++seq)
        it.reading(pump, seq);
    run();
    ASSERT_THAT(it.names(), SizeIs(4));
    EXPECT_THAT(it.rows(it.names().back()), SizeIs(5));
    EXPECT_THAT(it.announced(), ElementsAre(it.names().back()));
}

TEST_F(IngestTest, rows_from_before_an_assets_features_changed_keep_their_columns) {
    start();
    for (int seq = 1; seq <= 3; ++seq)
        it.reading(pump, seq);
    run();
    asset::Asset fewer = pump_1();
    fewer.features.clear();
    it.assets = {fewer};
    start();
    for (int seq = 4; seq <= 7; ++seq)
        it.reading(pump, seq);
    run();
    ASSERT_THAT(it.uploaded(), SizeIs(7));
    for (const std::string& name : it.names()) {
        const auto lines = it.rows(name);
        for (const std::string& line : lines)
            EXPECT_EQ(std::ranges::count(line, ','), std::ranges::count(lines[0], ',')) << line;
    }
}

TEST(IngestColumns, a_name_with_a_comma_or_a_quote_is_quoted) {
    auto telemetry = wire::decode_telemetry(R"({"deviceID":"s1","current":1.5,"sound":0.1})");
    ASSERT_TRUE(telemetry);
    telemetry->device = "a,\"b";  // the wire has none such
    EXPECT_EQ(csv_row(*telemetry, 7, nullptr), "\"a,\"\"b\",7,1.5,,,0.1");
}

TEST_F(IngestTest, when_what_was_taken_cannot_be_kept_the_process_ends) {
    start();
    it.reading(pump, 1);
    it.death.at = it.death.count + 1;  // the statement after BEGIN
    EXPECT_FALSE(it.run());
    EXPECT_EQ(it.trouble.fault, base::Fault::closed);
    EXPECT_THAT(it.trouble.what, HasSubstr("ingest.db"));
}

// Nine readings of the pump, four of another, some twice: two files and one row over.
void tell(IngestWorld& it) {
    for (int seq = 1; seq <= 9; ++seq) {
        it.reading(pump, seq);
        if (seq % 3 == 0) it.reading(pump, seq - 1);
        if (seq % 2 == 0) it.reading("s1", seq);
    }
}

TEST(IngestKilled, before_or_after_any_statement_it_loses_and_doubles_no_row) {
    IngestWorld whole;
    tell(whole);
    ASSERT_TRUE(whole.start());
    ASSERT_TRUE(whole.run());
    const auto rows = whole.uploaded();
    ASSERT_THAT(rows, SizeIs(12));
    const std::int64_t statements = whole.death.count;
    ASSERT_GT(statements, 60);
    for (std::int64_t at = 0; at < statements; ++at) {
        for (const bool after : {false, true}) {
            IngestWorld it;
            tell(it);
            it.death = {.at = at, .after = after};
            if (it.start()) static_cast<void>(it.run());
            ASSERT_TRUE(it.death.came()) << at;
            it.ingest.reset();
            it.death.at = std::numeric_limits<std::int64_t>::max();
            ASSERT_TRUE(it.start());
            ASSERT_TRUE(it.run()) << it.trouble.what;
            ASSERT_THAT(it.uploaded(), UnorderedElementsAreArray(rows))
                << (after ? "after " : "before ") << at;
            ASSERT_THAT(it.announced(), UnorderedElementsAreArray(it.names())) << at;
            ASSERT_THAT(it.names(), SizeIs(3)) << at;
        }
    }
}

}  // namespace
}  // namespace stator::ingest
