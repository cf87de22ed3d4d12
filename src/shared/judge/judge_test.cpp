#include "shared/judge/judge.h"

#include "shared/detect/small_model_test.h"

#include <gmock/gmock.h>

#include <cmath>

namespace stator::judge {
namespace {

constexpr std::array<float, detect::small_model_inputs> ones{1, 1, 1, 1, 1, 1, 1, 1};

// Two features in a window of four, each alarm after one reading over the limit.
class JudgeTest : public testing::Test {
  protected:
    JudgeTest() {
        for (const char* name : {"vibration", "sound"}) {
            asset::Channel channel;
            channel.name = name;
            EXPECT_TRUE(pump.channels.push_back(channel));
        }
        EXPECT_TRUE(pump.features.push_back({.channel = 0}));
        EXPECT_TRUE(pump.features.push_back({.channel = 1, .statistic = asset::Statistic::crest}));
        fold.feature_count = 2;
        fold.sd.fill(1.0F);
        fold.smooth_count = 1;
        fold.window_count = 4;
        fold.ewma_alpha = 1.0F;
        fold.raise_count = fold.clear_count = 1;
    }

    Model model(std::string_view name = "a.tflite", bool keep_state = false) {
        return {name, fold, keep_state, detect::network_of(small.model())};
    }

    static wire::Telemetry reading(std::uint64_t seq, float value, std::int64_t time_ms = -1) {
        wire::Telemetry made;
        made.device = "7";
        if (seq != 0) {
            made.boot = 1;
            made.seq = seq;
        }
        made.time_unix_ms = time_ms < 0 ? static_cast<std::int64_t>(seq) * 1000 : time_ms;
        EXPECT_TRUE(made.channels.push_back({.name = "vibration", .value = value}));
        EXPECT_TRUE(made.features.push_back({.name = "sound_crest", .value = value}));
        return made;
    }

    Judgement take(const wire::Telemetry& telemetry) {
        const auto read = reading_of(telemetry, pump, 7);
        EXPECT_TRUE(read);
        return judge(memory, *read, pump, model());
    }

    asset::Asset pump;
    detect::Parameters fold;
    detect::SmallModel small{-5.0F, ones};
    Memory memory;
};

TEST_F(JudgeTest, a_reading_gives_the_verdict_that_the_fold_gives_alone) {
    detect::State alone;
    for (std::uint64_t seq = 1; seq <= 40; ++seq) {
        const float value = static_cast<float>(seq % 7) * 0.3F;
        const std::array<float, 2> features{value, value};
        const Judgement made = take(reading(seq, value));
        const detect::Verdict right = detect::step(alone, features, fold, small.model());
        EXPECT_EQ(made.verdict.ready, right.ready);
        EXPECT_EQ(made.verdict.value, right.value);
        EXPECT_EQ(made.verdict.alarm, right.alarm);
        EXPECT_EQ(made.verdict.contribution, right.contribution);
    }
}

TEST_F(JudgeTest, a_reading_that_lacks_a_feature_is_none) {
    wire::Telemetry partial = reading(1, 0.1F);
    partial.features.clear();
    EXPECT_FALSE(reading_of(partial, pump, 7));
}

TEST_F(JudgeTest, steps_that_wait_for_their_network_side_by_side_give_the_verdicts_of_one_by_one) {
    std::array<Memory, 3> alone;
    std::array<Memory, 3> together;
    for (std::uint64_t seq = 1; seq <= 30; ++seq) {
        std::array<Reading, 3> readings;
        std::array<detect::Pending, 3> pending;
        for (std::size_t i = 0; i < 3; ++i) {
            const float value = static_cast<float>((seq * (i + 1)) % 5) * 0.4F;
            readings[i] = *reading_of(reading(seq, value), pump, 7);
            if (seq == 9 && i == 1) readings[i].features[0] = std::nanf("");
            begin(together[i], readings[i], model(), pending[i]);
            EXPECT_EQ(pending[i].asks, seq != 9 || i != 1);
        }
        for (std::size_t i = 0; i < 3; ++i) {
            float value = 0.0F;
            small.model().invoke(
                std::span{pending[i].input}.first(detect::small_model_inputs), std::span{&value, 1}
            );
            const Judgement made =
                finish(together[i], readings[i], pump, model(), pending[i], value);
            const Judgement right = judge(alone[i], readings[i], pump, model());
            EXPECT_EQ(made.verdict.value, right.verdict.value);
            EXPECT_EQ(made.verdict.ready, right.verdict.ready);
            EXPECT_EQ(made.verdict.alarm, right.verdict.alarm);
            EXPECT_EQ(made.verdict.contribution, right.verdict.contribution);
            EXPECT_EQ(made.alert_due, right.alert_due);
            EXPECT_EQ(together[i].alerted_unix_ms, alone[i].alerted_unix_ms);
        }
    }
}

TEST_F(JudgeTest, a_reading_without_a_time_has_that_of_its_arrival) {
    wire::Telemetry undated = reading(1, 0.1F);
    undated.time_unix_ms.reset();
    EXPECT_EQ(reading_of(undated, pump, 7)->time_unix_ms, 7);
}

TEST_F(JudgeTest, an_alert_is_due_at_raise_once_a_second_of_the_devices_time_and_at_the_end) {
    std::vector<int> due;
    std::int64_t time_ms = 1'000'000;
    for (std::uint64_t seq = 1; seq <= 40; ++seq, time_ms += 250) {
        const float value = seq > 4 && seq <= 20 ? 2.0F : 0.0F;
        if (take(reading(seq, value, time_ms)).alert_due) due.push_back(static_cast<int>(seq));
    }
    // Raised when half of the window is over, ended two readings after the last that was.
    EXPECT_THAT(due, testing::ElementsAre(6, 10, 14, 18, 22, 23));
}

TEST_F(JudgeTest, an_alert_that_is_due_in_alarm_says_what_the_directions_speak_for) {
    pump.channels[0].name = "flow";
    std::vector<suspect::Suspicion> said;
    for (std::uint64_t seq = 1; seq <= 12; ++seq) {
        wire::Telemetry made = reading(seq, 0.0F);
        made.channels.clear();
        made.features.clear();
        const bool fault = seq > 4 && seq <= 8;
        ASSERT_TRUE(made.channels.push_back({.name = "flow", .value = fault ? -4.0F : 0.0F}));
        ASSERT_TRUE(made.features.push_back({.name = "sound_crest", .value = fault ? 9.0F : 0.0F}));
        const Judgement judged = take(made);
        if (judged.alert_due) said.push_back(judged.suspicion);
        EXPECT_TRUE(judged.alert_due || judged.suspicion == suspect::Suspicion::none);
    }
    using enum suspect::Suspicion;
    ASSERT_GE(said.size(), 3U);
    EXPECT_EQ(said.front(), blocked_flow_metered);
    EXPECT_EQ(said.back(), none) << "it ended";
}

TEST_F(JudgeTest, a_clock_that_is_set_back_does_not_silence_an_alarm) {
    for (std::uint64_t seq = 1; seq <= 5; ++seq)
        static_cast<void>(take(reading(seq, 2.0F)));
    EXPECT_TRUE(take(reading(6, 2.0F, 10)).alert_due);
    EXPECT_FALSE(take(reading(7, 2.0F, 20)).alert_due);
}

TEST_F(JudgeTest, another_model_begins_anew_unless_its_maker_keeps_the_state) {
    for (std::uint64_t seq = 1; seq <= 5; ++seq)
        static_cast<void>(take(reading(seq, 2.0F)));
    ASSERT_TRUE(memory.fold.alarm);
    EXPECT_FALSE(must_withdraw(memory, model()));
    EXPECT_FALSE(must_withdraw(memory, model("b.tflite", true)));
    EXPECT_TRUE(must_withdraw(memory, model("b.tflite")));
    Memory kept = memory;
    take_model(kept, model("b.tflite", true));
    EXPECT_EQ(kept.fold.count, 5U);
    EXPECT_EQ(kept.model.view(), "b.tflite");
    take_model(memory, model("b.tflite"));
    EXPECT_EQ(memory.fold.count, 0U);
    EXPECT_FALSE(memory.fold.alarm);
}

TEST_F(JudgeTest, an_alert_says_what_the_contract_says) {
    detect::Verdict verdict;
    verdict.alarm = true;
    verdict.value = 0.75F;
    verdict.contribution = {0.25F, 0.75F};
    const wire::Alert alert = alert_of(verdict, pump, {}, "a.tflite", 0.5F);
    EXPECT_EQ(alert.severity, wire::Severity::potential);
    EXPECT_EQ(alert.inference, 0.75F);
    EXPECT_EQ(alert.threshold, 0.5F);
    EXPECT_EQ(alert.model.view(), "a.tflite");
    EXPECT_EQ(wire::find(alert.contributions, "vibration"), 0.25F);
    EXPECT_EQ(wire::find(alert.contributions, "sound_crest"), 0.75F);
    EXPECT_EQ(
        alert_of(verdict, pump, {.potential = 0.5F, .imminent = 0.7F}, "", 0.5F).severity,
        wire::Severity::imminent
    );
    EXPECT_TRUE(alert.suspected.empty() && alert.evidence.empty());
    const wire::Alert named =
        alert_of(verdict, pump, {}, "", 0.5F, suspect::Suspicion::blocked_flow);
    EXPECT_EQ(named.suspected.view(), "blocked-flow");
    EXPECT_EQ(named.evidence.view(), "current down, sound_band_high up");
    verdict.alarm = false;  // at its end, however high the value still is
    EXPECT_EQ(alert_of(verdict, pump, {}, "", 0.5F).severity, wire::Severity::none);
}

}  // namespace
}  // namespace stator::judge
