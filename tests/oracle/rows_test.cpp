// What level 2 makes of the readings of one poll, together and one by one: the same bits.
#include "decide/level2/rows.h"

#include "learn/quantise/quantise.h"
#include "shared/tinyml/tile.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <map>
#include <random>
#include <vector>

namespace stator::level2 {
namespace {

constexpr std::size_t features = 5;
constexpr std::size_t window = 4;

class Rows : public testing::Test {
  protected:
    float normal(float deviation) {
        return std::normal_distribution<float>{0.0F, deviation}(chance);
    }

    // As train makes level 2's: the squared distance of a window, with float32 ends.
    std::unique_ptr<RunningModel> baseline(float steepness) {
        constexpr std::size_t width = features * window;
        quantise::Network network{.name = "baseline", .inputs = width};
        quantise::Dense whitening{.inputs = width, .outputs = width};
        for (std::size_t i = 0; i < width * width; ++i)
            whitening.weights.push_back(normal(0.1F) + (i % (width + 1) == 0 ? 1.0F : 0.0F));
        const float limit = 3.0F * static_cast<float>(width);
        network.layers = {
            whitening,
            quantise::Square{},
            quantise::Sum{steepness / limit, -steepness},
            quantise::Logistic{}
        };
        std::vector<quantise::Row> rows(300, quantise::Row(width));
        for (quantise::Row& row : rows)
            for (float& value : row)
                value = normal(1.0F);
        const auto made = quantise::quantise(
            network, rows, {.mean_loss_max = 1, .limit_loss_max = 1, .flips_max = 1}
        );
        EXPECT_TRUE(made);
        auto running = std::make_unique<RunningModel>();
        running->file = made->tflite;
        running->manifest.name = "2026-11-23-03:00:00-model.tflite";
        detect::Parameters& fold = running->manifest.fold;
        fold.feature_count = features;
        fold.window_count = window;
        fold.smooth_count = 3;
        fold.sd.fill(1.0F);
        fold.adapt_rate = 1.0F / 50.0F;
        fold.anchor_sd_max = 3.0F;
        running->arena.resize(1U << 16U);
        tinyml::Reason reason;
        auto model =
            tinyml::Model::load(std::as_bytes(std::span{running->file}), running->arena, reason);
        EXPECT_TRUE(model) << reason.view();
        running->model = *model;
        running->room.resize(tinyml::Batch::room_bytes(*running->model));
        EXPECT_EQ(running->room.empty(), tinyml::tile_kernel() == nullptr) << "it goes by tiles";
        running->batch.emplace(*running->model, running->room);
        return running;
    }

    judge::Reading reading() {
        judge::Reading made;
        made.feature_count = features;
        const float drift = chance() % 3 == 0 ? 3.0F : 1.0F;
        for (std::size_t i = 0; i < features; ++i)
            made.features[i] = normal(drift);
        if (chance() % 40 == 0) made.features[chance() % features] = std::nanf("");
        made.time_unix_ms = time_unix_ms += 300;
        return made;
    }

    const asset::Asset pump{};  // of no channels: nothing is suspected of it
    std::mt19937 chance{4};
    std::int64_t time_unix_ms = 1'700'000'000'000;
};

TEST_F(Rows, of_many_devices_and_two_models_are_judged_as_one_by_one) {
    const std::array running{baseline(6.0F), baseline(9.0F)};
    constexpr std::size_t devices = 40;
    std::array<judge::Memory, devices> together;
    std::array<judge::Memory, devices> alone;
    std::size_t alerts = 0;
    std::size_t batches = 0;
    std::size_t judged = 0;
    for (int poll = 0; poll < 60; ++poll) {
        std::vector<Row> rows(chance() % 120);
        std::vector<std::size_t> whose;
        for (Row& row : rows) {
            whose.push_back(chance() % devices);
            row.asset = &pump;
            row.running = running[whose.back() % 2].get();
            row.memory = &together[whose.back()];
            row.reading = reading();
        }
        batches += judge_rows(rows);
        judged += rows.size();
        for (std::size_t i = 0; i < rows.size(); ++i) {
            const judge::Judgement right =
                judge::judge(alone[whose[i]], rows[i].reading, pump, judge_of(*rows[i].running));
            const judge::Judgement& made = rows[i].made;
            ASSERT_EQ(made.verdict.value, right.verdict.value) << "poll " << poll << ", row " << i;
            ASSERT_EQ(made.verdict.ready, right.verdict.ready);
            ASSERT_EQ(made.verdict.raised, right.verdict.raised);
            ASSERT_EQ(made.verdict.cleared, right.verdict.cleared);
            ASSERT_EQ(made.verdict.contribution, right.verdict.contribution);
            ASSERT_EQ(made.alert_due, right.alert_due);
            alerts += made.alert_due ? 1 : 0;
        }
        for (std::size_t i = 0; i < devices; ++i)
            ASSERT_EQ(together[i].fold.slow_shift_sd, alone[i].fold.slow_shift_sd);
    }
    EXPECT_GT(alerts, 20U);
    EXPECT_LT(batches * 5, judged) << "rows of many devices share a run";
}

TEST_F(Rows, of_one_device_follow_each_other) {
    const auto running = baseline(6.0F);
    judge::Memory together;
    judge::Memory alone;
    std::vector<Row> rows(50);
    for (Row& row : rows) {
        row.asset = &pump;
        row.running = running.get();
        row.memory = &together;
        row.reading = reading();
    }
    EXPECT_EQ(judge_rows(rows), 50U);
    for (const Row& row : rows)
        EXPECT_EQ(
            row.made.verdict.value,
            judge::judge(alone, row.reading, pump, judge_of(*running)).verdict.value
        );
    EXPECT_EQ(judge_rows({}), 0U);
}

}  // namespace
}  // namespace stator::level2
