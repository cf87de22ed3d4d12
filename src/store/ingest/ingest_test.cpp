#include "store/ingest/ingest_fixture_test.h"

namespace stator::ingest {
namespace {

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
