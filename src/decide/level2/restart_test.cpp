#include "decide/level2/level2_fixture_test.h"

#include <set>

namespace stator::level2 {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

const std::string first = "2026-11-23-03:00:00-model.tflite";
const std::string second = "2026-11-23-04:00:00-model.tflite";

class Restart : public Level2Test {
  protected:
    void begin() {
        offer({.name = first});
        order(first);
        start();
        run();
    }
};

TEST_F(Restart, the_window_and_the_alarm_outlive_a_kill) {
    begin();
    for (int seq = 1; seq <= 4; ++seq)
        read("7", seq, 2.0F);
    run();
    start();
    read("7", 5, 2.0F);
    run();
    EXPECT_THAT(told_about("7"), ElementsAre("5:on:" + first)) << "the window was full";
    start();
    read("7", 6, 2.0F);
    for (int seq = 7; seq <= 12; ++seq)
        read("7", seq, 0.0F);
    run();
    EXPECT_THAT(
        told_about("7"),
        ElementsAre(
            "5:on:" + first,
            "6:on:" + first,
            "7:on:" + first,
            "8:on:" + first,
            "9:on:" + first,
            "10:off:" + first
        )
    );
}

TEST_F(Restart, a_restart_needs_no_registry_and_judges_with_the_model_that_ran) {
    begin();
    registry_away = true;
    start();
    for (int seq = 1; seq <= 5; ++seq)
        read("7", seq, 2.0F);
    run();
    EXPECT_THAT(told_about("7"), ElementsAre("5:on:" + first));
}

TEST_F(Restart, no_record_is_taken_until_a_spoiled_copy_of_the_model_was_fetched_again) {
    begin();
    const std::string kept = "/state/kept-" + http::percent_encode(first);
    auto text = disk.read_all(kept, 1U << 20U).value();
    text[text.size() / 2] = static_cast<char>(text[text.size() / 2] ^ 1);
    ASSERT_TRUE(disk.replace(kept, text));
    registry_away = true;
    start();
    for (int seq = 1; seq <= 5; ++seq)
        read("7", seq, 2.0F);
    run();
    EXPECT_THAT(told(), IsEmpty());
    EXPECT_EQ(level2->metrics().get("stator_level2_records_without_model_total"), 0);
    registry_away = false;
    clock.wait_us(2'000'000);
    run();
    EXPECT_THAT(told_about("7"), ElementsAre("5:on:" + first));
}

TEST_F(Restart, a_model_that_nobody_has_any_more_is_given_up_and_records_go_on) {
    begin();
    ASSERT_TRUE(disk.remove("/state/kept-" + http::percent_encode(first)));
    files.clear();
    start();
    read("7", 1, 2.0F);
    run();
    EXPECT_EQ(level2->metrics().get("stator_level2_records_without_model_total"), 1);
    offer({.name = second, .release = 2});
    order(second);
    run();
    read("7", 2, 2.0F);
    run();
    EXPECT_EQ(level2->metrics().get("stator_level2_records_judged_total"), 1);
}

TEST_F(Restart, records_whose_commit_was_lost_are_not_judged_twice_numbered_or_not) {
    begin();
    for (int seq = 1; seq <= 3; ++seq)
        read("7", seq, 2.0F);
    for (int i = 0; i < 3; ++i)
        put(log::Class::telemetry, data, R"({"deviceID":"8","vibration":2,"temperature":2})");
    run();
    EXPECT_EQ(level2->metrics().get("stator_level2_records_judged_total"), 6);
    // The reader's place as it was before: what a kill between the two commits leaves.
    level2.reset();
    int removed = 0;
    const auto readers = disk.list("/log/readers").value();
    for (const auto& entry : readers)
        if (entry.name.find("level2") != std::string::npos) {
            ASSERT_TRUE(disk.remove("/log/readers/" + entry.name));
            ++removed;
        }
    ASSERT_EQ(removed, 2);
    start();
    run();
    metrics::Metrics& counts = level2->metrics();
    EXPECT_EQ(counts.get("stator_level2_duplicates_total"), 6);
    EXPECT_EQ(counts.get("stator_level2_records_judged_total"), 0);
    clock.wait_us(1000);
    put(log::Class::telemetry, data, R"({"deviceID":"8","vibration":2,"temperature":2})");
    read("7", 4, 2.0F);
    run();
    EXPECT_EQ(counts.get("stator_level2_records_judged_total"), 2);
    EXPECT_THAT(told_of_models(), SizeIs(1)) << "announcements are not obeyed twice, either";
}

TEST_F(Restart, a_late_reading_is_still_awaited_after_a_kill_and_what_came_is_still_known) {
    begin();
    for (const int seq : {1, 2, 5, 6})
        read("7", seq, 2.0F);
    run();
    start();
    for (const int seq : {5, 3, 2, 4, 3})
        read("7", seq, 2.0F);
    run();
    metrics::Metrics& counts = level2->metrics();
    EXPECT_EQ(counts.get("stator_level2_records_judged_total"), 2);
    EXPECT_EQ(counts.get("stator_level2_late_total"), 2);
    EXPECT_EQ(counts.get("stator_level2_duplicates_total"), 3);
    start();
    read("7", 4, 2.0F);
    read("7", 7, 2.0F);
    run();
    EXPECT_EQ(level2->metrics().get("stator_level2_records_judged_total"), 1);
}

// Kills everywhere, models in between: whoever counts finds each record once.
TEST_F(Restart, each_record_is_judged_once_by_a_valid_model_however_often_it_is_killed) {
    begin();
    chance::SeededChance dice{5};
    int seq = 0;
    std::uint32_t release = 1;
    std::vector<std::string> valid{first};
    for (int round = 0; round < 120; ++round) {
        const std::uint64_t what = dice.below(4);
        const int readings = 1 + static_cast<int>(dice.below(6));
        for (int i = 0; i < readings; ++i)
            read("7", ++seq, 2.0F);
        if (what == 0) {
            const std::string name = fmt::format("2026-11-23-05:00:{:02}-model.tflite", release);
            offer({.name = name, .release = ++release, .keep_state = true});
            valid.push_back(name);
            order(name);
        } else if (what == 1) {
            const std::string name = fmt::format("2026-11-23-06:{:03}-model.tflite", round);
            offer({.name = name, .release = release + 1, .keep_state = true});
            files["/quantized/" + name][300] ^= 1;
            order(name);
        }
        run(static_cast<int>(dice.below(4)));
        if (what != 2) start();
    }
    run(400);
    std::map<std::int64_t, int> times;
    std::set<std::string_view> named;
    const auto all = told();
    for (const wire::Alert& alert : all) {
        ++times[(alert.time_unix_ms - 1'700'000'000'000) / 1000];
        EXPECT_TRUE(alert.alarm);
        EXPECT_THAT(valid, testing::Contains(alert.model.view()));
        named.insert(alert.model.view());
    }
    // The window and two in a row are needed before the first; from then on each record tells.
    for (int i = 5; i <= seq; ++i)
        EXPECT_EQ(times[i], 1) << i;
    EXPECT_EQ(times.size(), static_cast<std::size_t>(seq - 4));
    EXPECT_GT(named.size(), 10U);
    auto rows = databases.open(options.state_file, database::Access::write, "")
                    .value()
                    ->query("SELECT seq FROM devices WHERE id = '7'", {})
                    .value();
    EXPECT_EQ(rows.at(0).integer(0), seq);
}

// Level 2 beside a broker alone: what it hears is its stream.
class Hearsay : public Level2Test {
  protected:
    Hearsay() {
        options.mqtt.clean_session = false;
        offer({.name = first});
        again();
        run();
        mqtt::Options talking;
        talking.client_id = "7";
        talker = broker.connect(talking).value();
        tell(control, R"({"command":"download-model","payload":")" + first + "\"}");
        run();
    }

    void again() {
        level2.reset();
        stream::MqttStream& hearing_now = heard_now();
        auto made = Level2::make(doors, hearing_now, options);
        ASSERT_TRUE(made) << made.error().what;
        level2 = std::move(*made);
    }

    stream::MqttStream& heard_now() {
        heard_ = std::make_unique<stream::MqttStream>(clock, topics);
        options.heard = heard_.get();
        return *heard_;
    }

    void tell(const std::string& topic, const std::string& payload) {
        ASSERT_TRUE(talker->publish({.topic = topic, .payload = payload, .qos = 1}));
        for (int i = 0; i < 4; ++i) {
            static_cast<void>(talker->poll());
            while (broker.step()) {
            }
        }
    }

    void tell_reading(int seq, float value) {
        tell(
            data,
            fmt::format(
                R"({{"deviceID":"7","timeStamp":"{}","boot":1,"seq":{},)"
                R"("vibration":{},"temperature":{}}})",
                1'700'000'000'000 + 1000LL * seq,
                seq,
                value,
                value
            )
        );
    }

    const stream::MqttStream::Options topics{
        .topics = {{data, log::Class::telemetry}, {control, log::Class::control}}
    };
    std::unique_ptr<stream::MqttStream> heard_;
    std::unique_ptr<mqtt::Client> talker;
};

TEST_F(Hearsay, is_judged_like_the_log_and_twice_told_is_judged_once) {
    for (const int seq : {1, 2, 3, 4, 4, 3, 5, 6})
        tell_reading(seq, 2.0F);
    run();
    EXPECT_EQ(level2->metrics().get("stator_level2_records_judged_total"), 6.0);
    EXPECT_THAT(told_about("7"), ElementsAre("5:on:" + first, "6:on:" + first));
}

TEST_F(Hearsay, goes_on_after_a_restart_with_the_model_it_had) {
    for (int seq = 1; seq <= 4; ++seq)
        tell_reading(seq, 2.0F);
    run();
    again();
    run();
    for (int seq = 4; seq <= 6; ++seq)
        tell_reading(seq, 2.0F);
    run();
    EXPECT_THAT(told_about("7"), ElementsAre("5:on:" + first, "6:on:" + first));
}

}  // namespace
}  // namespace stator::level2
