#include "learn/pipeline/pipeline_fixture_test.h"

namespace stator::pipeline {
namespace {

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
