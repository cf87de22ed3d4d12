#include "decide/level2/level2_fixture_test.h"

#include <cmath>
#include <functional>

namespace stator::level2 {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const std::string first = "2026-11-23-03:00:00-model.tflite";
const std::string second = "2026-11-23-04:00:00-model.tflite";
const std::string third = "2026-11-23-05:00:00-model.tflite";

class Running : public Level2Test {
  protected:
    Running() {
        offer({.name = first});
        order(first);
        start();
        run();
    }

    double judged() { return level2->metrics().get("stator_level2_records_judged_total"); }
};

TEST_F(Running, an_alert_goes_out_at_raise_each_second_of_the_alarm_and_at_its_end) {
    int seq = 0;
    for (int i = 0; i < 4; ++i)
        read("7", ++seq, 0.0F);
    for (int i = 0; i < 6; ++i)
        read("7", ++seq, 2.0F);
    for (int i = 0; i < 8; ++i)
        read("7", ++seq, 0.0F);
    run();
    EXPECT_THAT(
        told_about("7"),
        ElementsAre(
            // Two rows of the window make 8 - 5 > 0, and two readings in a row raise it.
            "7:on:" + first,
            "8:on:" + first,
            "9:on:" + first,
            "10:on:" + first,
            "11:on:" + first,
            "12:on:" + first,
            "13:on:" + first,
            "14:off:" + first
        )
    );
    const auto all = told();
    EXPECT_EQ(all[0].severity, wire::Severity::imminent);
    EXPECT_EQ(all.back().severity, wire::Severity::none);
    EXPECT_EQ(all[0].source.view(), "level2-1");
    float shares = 0;
    for (std::size_t i = 0; i < all[0].contributions.size(); ++i)
        shares += all[0].contributions[i].value;
    EXPECT_NEAR(shares, 1.0F, 1e-5F);
}

TEST_F(Running, readings_ten_a_second_give_one_alert_a_second_of_the_devices_time) {
    for (int i = 1; i <= 60; ++i)
        put(log::Class::telemetry,
            data,
            fmt::format(
                R"({{"deviceID":"7","timeStamp":"{}","boot":1,"seq":{},)"
                R"("vibration":2,"temperature":2}})",
                1'700'000'000'000 + 100 * i,
                i
            ));
    run();
    EXPECT_THAT(told_about("7"), SizeIs(6)) << "raised at 0.5 s, then until 5.5 s";
}

TEST_F(Running, each_device_has_its_own_window_however_their_records_lie_among_each_other) {
    for (int seq = 1; seq <= 12; ++seq) {
        read("7", seq, 2.0F);
        read("8", seq, 0.0F);
    }
    run();
    EXPECT_THAT(told_about("7"), SizeIs(8));
    EXPECT_THAT(told_about("8"), IsEmpty());
    EXPECT_EQ(judged(), 24);
}

TEST_F(Running, a_batch_of_hundreds_gives_the_verdicts_that_one_at_a_time_gives) {
    chance::SeededChance dice{11};
    std::vector<float> values;
    for (int i = 0; i < 700; ++i)
        values.push_back(static_cast<float>(dice.below(1000)) / 500.0F);
    for (int i = 0; i < 700; ++i)
        read("7", i + 1, values[static_cast<std::size_t>(i)]);
    run(200);
    const detect::SmallModel small{-5.0F, {1, 1, 1, 1, 1, 1, 1, 1}};
    std::vector<std::byte> arena(4096);
    tinyml::Reason reason;
    auto model = tinyml::Model::load(small.file(), arena, reason);
    ASSERT_TRUE(model);
    detect::State state;
    std::vector<std::pair<std::int64_t, float>> expected;
    for (int i = 0; i < 700; ++i) {
        const std::array<float, 2> row{
            values[static_cast<std::size_t>(i)], values[static_cast<std::size_t>(i)]
        };
        const auto verdict = detect::step(state, row, parameters(), *model);
        if (verdict.alarm || verdict.cleared)
            expected.emplace_back(1'700'000'000'000 + 1000LL * (i + 1), verdict.value);
    }
    std::vector<std::pair<std::int64_t, float>> got;
    for (const wire::Alert& alert : told())
        got.emplace_back(alert.time_unix_ms, alert.inference);
    ASSERT_GT(expected.size(), 20U);
    EXPECT_EQ(got, expected);
}

TEST_F(Running, a_late_reading_is_judged_once_and_passed_over_when_it_comes_again) {
    for (const int seq : {1, 2, 4, 3, 5, 4, 3})
        read("7", seq, 2.0F);
    run();
    EXPECT_EQ(judged(), 5);
    EXPECT_EQ(level2->metrics().get("stator_level2_duplicates_total"), 2);
    EXPECT_EQ(level2->metrics().get("stator_level2_late_total"), 1);
    // Five readings raise it, in the order in which they came.
    EXPECT_THAT(told_about("7"), ElementsAre("5:on:" + first));
}

TEST_F(Running, what_one_poll_gives_is_judged_together_and_told_in_its_order) {
    for (int seq = 1; seq <= 6; ++seq)
        for (const char* device : {"8", "7"})
            read(device, seq, 2.0F);
    run();
    EXPECT_EQ(judged(), 12);
    EXPECT_EQ(level2->metrics().get("stator_level2_batches_total"), 6);
    std::vector<std::string> order;
    for (const wire::Alert& alert : told())
        order.emplace_back(alert.device.view());
    EXPECT_THAT(order, ElementsAre("8", "7", "8", "7"));
}

TEST_F(Running, only_the_devices_of_a_batch_are_written) {
    for (int seq = 1; seq <= 3; ++seq) {
        read("7", seq, 0.0F);
        read("8", seq, 0.0F);
    }
    run();
    // Whoever else holds the row of device 8 finds it as it was after a batch of device 7 alone.
    auto database = databases.open(options.state_file, database::Access::write, "").value();
    ASSERT_TRUE(database->execute("UPDATE devices SET seq = 77 WHERE id = '8'"));
    read("7", 4, 0.0F);
    run();
    auto rows = database->query("SELECT id, seq FROM devices ORDER BY id", {}).value();
    ASSERT_THAT(rows, SizeIs(2));
    EXPECT_EQ(rows[0].integer(1), 4);
    EXPECT_EQ(rows[1].integer(1), 77);
}

TEST_F(Running, what_cannot_be_judged_is_counted_and_nothing_is_lost_behind_it) {
    put(log::Class::telemetry, data, "no JSON");
    put(log::Class::telemetry, data, R"({"deviceID":"7","boot":1,"seq":1,"vibration":2})");
    put(log::Class::telemetry, data, R"({"deviceID":"unknown","vibration":2,"temperature":2})");
    put(log::Class::telemetry, "another/topic", R"({"deviceID":"7"})");
    read("9", 1, 2.0F);  // of a class without a model
    read("7", 2, 0.0F);
    run();
    EXPECT_EQ(judged(), 1);
    metrics::Metrics& counts = level2->metrics();
    EXPECT_EQ(counts.get("stator_level2_records_unreadable_total"), 1);
    EXPECT_EQ(counts.get("stator_level2_records_incomplete_total"), 1);
    EXPECT_EQ(counts.get("stator_level2_records_without_model_total"), 1);
}

TEST_F(Running, a_device_with_other_features_than_its_classs_model_is_not_judged) {
    options.assets.push_back(asset_of("10", "motor"));
    ASSERT_TRUE(options.assets.back().features.push_back(
        {.channel = 0, .statistic = asset::Statistic::crest}
    ));
    start();
    read("10", 1, 2.0F, R"(,"features":{"vibration_crest":3})");
    read("7", 1, 2.0F);
    run();
    EXPECT_EQ(judged(), 1);
    EXPECT_EQ(level2->metrics().get("stator_level2_records_unfit_total"), 1);
}

TEST_F(Running, a_clock_that_is_set_back_does_not_silence_an_alarm) {
    for (int seq = 1; seq <= 8; ++seq)
        read("7", seq, 2.0F);
    run();
    const std::size_t before = told_about("7").size();
    put(log::Class::telemetry,
        data,
        R"({"deviceID":"7","timeStamp":"1600000000000","boot":1,"seq":9,)"
        R"("vibration":2,"temperature":2})");
    run();
    EXPECT_EQ(told_about("7").size(), before + 1);
}

TEST_F(Running, a_new_model_judges_from_its_announcement_on_and_the_old_ones_alarm_is_withdrawn) {
    for (int seq = 1; seq <= 6; ++seq)
        read("7", seq, 2.0F);
    run();
    EXPECT_THAT(told_about("7"), SizeIs(2));
    offer({.name = second, .release = 2, .bias = -100.0F});
    order(second);
    for (int seq = 7; seq <= 20; ++seq)
        read("7", seq, 2.0F);
    run();
    EXPECT_EQ(judged(), 20);
    const auto all = told();
    ASSERT_THAT(all, SizeIs(3));
    EXPECT_FALSE(all[2].alarm);
    EXPECT_EQ(all[2].model.view(), first) << "who raised it withdraws it";
    EXPECT_THAT(told_of_models(), ElementsAre("confirmed/" + first, "confirmed/" + second));
}

TEST_F(Running, a_model_that_keeps_the_state_goes_on_in_the_middle_of_an_alarm) {
    for (int seq = 1; seq <= 6; ++seq)
        read("7", seq, 2.0F);
    run();
    offer({.name = second, .release = 2, .keep_state = true});
    order(second);
    run();
    read("7", 7, 2.0F);
    run();
    EXPECT_THAT(told_about("7"), ElementsAre("5:on:" + first, "6:on:" + first, "7:on:" + second));
}

TEST_F(Running, every_refused_model_leaves_the_old_one_in_place_with_its_window) {
    for (int seq = 1; seq <= 3; ++seq)
        read("7", seq, 2.0F);
    run();
    const auto spoil = [&](const std::string& path, std::size_t at) {
        char& byte = files[path][at];
        byte = static_cast<char>(byte ^ 1);
    };
    std::vector<std::string> names;
    const auto refuse = [&](Draft draft, const std::function<void(const std::string&)>& change) {
        draft.name = fmt::format("2026-11-23-06:00:{:02}-model.tflite", names.size());
        names.push_back("refused/" + draft.name);
        offer(draft);
        change(draft.name);
        order(draft.name);
        run(5);
    };
    refuse({.release = 2}, [&](const auto& name) { spoil("/quantized/" + name, 300); });
    refuse({.release = 2}, [&](const auto& name) { spoil("/manifest/" + name, 3); });
    refuse({.release = 2}, [&](const auto& name) {
        std::string& text = files["/manifest/" + name];
        text.replace(text.find("\"release\":2"), 11, "\"release\":9");
    });
    refuse({.release = 2}, [&](const auto& name) { files["/manifest/" + name] = "nonsense"; });
    refuse({.release = 1}, [](const auto&) {});  // does not rise
    refuse({.release = 2, .spoil_golden = true}, [](const auto&) {});
    refuse({.release = 2}, [&](const auto& name) {
        offer({.name = third, .release = 3});
        files["/manifest/" + name] = files["/manifest/" + third];  // another one's, well signed
    });
    read("7", 4, 2.0F);
    read("7", 5, 2.0F);
    run();
    names.insert(names.begin(), "confirmed/" + first);
    EXPECT_EQ(told_of_models(), names);
    EXPECT_THAT(told_about("7"), ElementsAre("5:on:" + first));
    EXPECT_EQ(level2->metrics().get("stator_level2_models_refused_total"), 7);
}

TEST_F(Running, models_of_level_1_and_of_strangers_are_passed_over_without_their_bytes) {
    offer({.name = second, .release = 2, .level = 1});
    offer({.name = third, .release = 2, .device_class = "stranger"});
    order(second);
    order(third);
    run();
    EXPECT_THAT(told_of_models(), ElementsAre("confirmed/" + first));
    EXPECT_EQ(asked["/quantized/" + second] + asked["/quantized/" + third], 0);
}

TEST_F(Running, each_class_of_the_configuration_gets_its_own_model) {
    offer({.name = second, .release = 1, .device_class = "fan", .bias = 5.0F});
    order(second);
    run();
    for (int seq = 1; seq <= 5; ++seq) {
        read("9", seq, 0.0F);
        read("7", seq, 0.0F);
    }
    run();
    EXPECT_THAT(told_about("9"), ElementsAre("5:on:" + second));
    EXPECT_THAT(told_about("7"), IsEmpty());
    start();
    read("9", 6, 0.0F);
    read("7", 6, 0.0F);
    run();
    EXPECT_THAT(told_about("9"), ElementsAre("5:on:" + second, "6:on:" + second));
    EXPECT_EQ(judged(), 2) << "both models run again";
}

TEST_F(Running, a_model_that_is_gone_does_not_hold_up_those_behind_it) {
    order("2026-01-01-00:00:00-model.tflite");
    offer({.name = second, .release = 2});
    order(second);
    run();
    EXPECT_THAT(told_of_models(), ElementsAre("confirmed/" + first, "confirmed/" + second));
}

TEST_F(Running, with_the_registry_away_the_old_model_judges_until_the_new_one_can_be_had) {
    offer({.name = second, .release = 2, .keep_state = true});
    registry_away = true;
    order(second);
    for (int seq = 1; seq <= 5; ++seq)
        read("7", seq, 2.0F);
    run();
    EXPECT_THAT(told_about("7"), ElementsAre("5:on:" + first));
    registry_away = false;
    clock.wait_us(2'000'000);
    run();
    read("7", 6, 2.0F);
    run();
    EXPECT_THAT(told_about("7"), ElementsAre("5:on:" + first, "6:on:" + second));
}

TEST_F(Running, an_order_from_a_device_or_another_broker_is_none) {
    offer({.name = second, .release = 2});
    put(log::Class::control,
        "stator/devices/7/event",
        R"({"command":"download-model","payload":")" + second + "\"}");
    run();
    EXPECT_THAT(told_of_models(), ElementsAre("confirmed/" + first));
}

TEST_F(Running, a_model_of_a_runtime_that_needed_a_larger_arena_is_taken_but_not_of_a_smaller_one) {
    offer({.name = second, .release = 2, .arena_more = 400});
    order(second);
    run();
    EXPECT_THAT(told_of_models(), ElementsAre("confirmed/" + first, "confirmed/" + second));
    offer({.name = third, .release = 3, .arena_more = -1});
    order(third);
    run();
    EXPECT_THAT(told_of_models(), testing::Contains("refused/" + third));
}

TEST_F(
    Running, the_line_socket_is_answered_with_the_models_value_and_the_stream_knows_nothing_of_it
) {
    const std::string reading = R"({"deviceID":"7","vibration":2,"temperature":2})";
    std::string last;
    for (int i = 0; i < 6; ++i)
        last = level2->answer(reading);
    EXPECT_THAT(last, testing::StartsWith("inference value from the edge tpu = 0.99"));
    run();
    EXPECT_THAT(told(), IsEmpty());
    EXPECT_THAT(level2->answer("{"), HasSubstr("error: this is no telemetry"));
    EXPECT_THAT(level2->answer(R"({"deviceID":"77"})"), HasSubstr("device '77'"));
    EXPECT_THAT(level2->answer(R"({"deviceID":"9"})"), HasSubstr("no model of class 'fan'"));
    EXPECT_THAT(level2->answer(R"({"deviceID":"7"})"), HasSubstr("not all the features"));
}

// A runtime that is not ours: it gives one answer, but in the runs that it is told to fail.
struct OtherEngines final : tflite::Engines {
    struct One final : tflite::Engine {
        explicit One(OtherEngines& engines) : all{engines} {}

        [[nodiscard]] const tflite::Ends& ends() const override { return all.ends; }

        Outcome<void> invoke(std::span<const float> input, std::span<float> output) override {
            ++all.runs;
            if (all.fails) return fail(base::Fault::io, "it broke");
            float sum = all.bias;
            for (const float x : input)
                sum += x;
            output[0] = 1.0F / (1.0F + std::exp(-sum));
            return {};
        }

        Outcome<void> invoke_raw(std::span<const std::int8_t>, std::span<std::int8_t>) override {
            return fail(base::Fault::bad_input, "not of int8");
        }

        OtherEngines& all;
    };

    Outcome<std::unique_ptr<tflite::Engine>> load(std::string_view /*file*/) override {
        if (!refusal.empty()) return fail(base::Fault::again, refusal);
        return std::make_unique<One>(*this);
    }

    tflite::Ends ends{.input_count = 8, .output_count = 1};
    float bias = -5.0F;
    bool fails = false;
    std::string refusal;
    int runs = 0;
};

class OtherEngine : public Level2Test {
  protected:
    OtherEngine() {
        options.models.engines = &engines;
        offer({.name = first});
        order(first);
        start();
        run();
    }

    void read_a_fault() {
        for (int seq = 1; seq <= 6; ++seq)
            read("7", seq, 2.0F);
        run();
    }

    const std::vector<std::string> alarm = {"5:on:" + first, "6:on:" + first};
    OtherEngines engines;
};

TEST_F(OtherEngine, runs_the_models_and_comes_to_the_same_verdicts) {
    read_a_fault();
    EXPECT_THAT(told_about("7"), testing::ElementsAreArray(alarm));
    EXPECT_EQ(engines.runs, 6 + 6) << "of the golden sequence, then of the readings";
}

TEST_F(OtherEngine, costs_no_verdict_where_it_fails) {
    engines.fails = true;
    read_a_fault();
    EXPECT_THAT(told_about("7"), testing::ElementsAreArray(alarm));
    EXPECT_EQ(level2->metrics().get("stator_level2_engine_failures_total"), 6.0);
}

TEST_F(OtherEngine, that_answers_wrongly_costs_a_model_its_start) {
    engines.bias = -50.0F;
    offer({.name = second, .release = 2});
    order(second);
    run();
    EXPECT_THAT(told_of_models(), ElementsAre("confirmed/" + first, "refused/" + second));
}

TEST_F(OtherEngine, whose_delegate_refuses_is_asked_again) {
    engines.refusal = "its device is not plugged in";
    offer({.name = second, .release = 2});
    order(second);
    run();
    EXPECT_THAT(told_of_models(), ElementsAre("confirmed/" + first));
    engines.refusal.clear();
    clock.wait_us(2'000'000);
    run();
    EXPECT_THAT(told_of_models(), ElementsAre("confirmed/" + first, "confirmed/" + second));
}

}  // namespace
}  // namespace stator::level2
