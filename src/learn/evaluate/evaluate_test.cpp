#include "learn/evaluate/evaluate.h"

#include "learn/package/package.h"

#include <gmock/gmock.h>

#include <random>

namespace stator::evaluate {
namespace {

using runs::Row;
using testing::HasSubstr;

class EvaluateTest : public testing::Test {
  protected:
    std::vector<Row> take(std::size_t count, float shift_sd = 0.0F) {
        std::vector<Row> rows;
        for (std::size_t r = 0; r < count; ++r) {
            Row row{.time_unix_ms = time_ += 1000, .features = {}};
            for (std::size_t i = 0; i < motor.features.size(); ++i)
                row.features.push_back(
                    5.0F + 0.2F * (normal_(random_) + (i < 4 ? shift_sd : 0.0F))
                );
            rows.push_back(std::move(row));
        }
        return rows;
    }

    Contender contender(
        const std::string& name, const std::vector<Row>& reference, const std::vector<Row>& rows
    ) {
        const auto trained = train::baseline(reference, rows, motor.features.size(), 1, {});
        auto made = package::assemble(motor, *trained, rows, 1);
        EXPECT_TRUE(made);
        return {.name = name, .manifest = made->manifest, .tflite = made->tflite};
    }

    asset::Asset motor = asset::shaded_pole_motor();
    std::mt19937 random_{5};
    std::normal_distribution<float> normal_{0.0F, 1.0F};
    std::int64_t time_ = 0;
};

TEST_F(EvaluateTest, AChallengerThatEndsAFalseAlarmAndFindsTheOldFaultIsPromoted) {
    const auto healthy = take(240);
    const Contender old = contender("old", {}, healthy);
    const Contender now = contender("now", healthy, take(240, 6.0F));
    const Evidence evidence{
        .fresh = take(100, 6.0F), .kept = take(100), .faults = {take(60, -20.0F)}
    };
    const auto judgement = judge(&old, now, evidence);
    ASSERT_TRUE(judgement);
    EXPECT_TRUE(judgement->promote) << judgement->text;
    EXPECT_THAT(judgement->text, HasSubstr("alarms added 0, removed 1"));
}

TEST_F(EvaluateTest, AChallengerThatMissesAFaultOrAddsAFalseAlarmIsNot) {
    const auto healthy = take(240);
    const Contender good = contender("good", {}, healthy);
    // It has learnt the fault as normal.
    const Contender bad = contender("bad", healthy, take(240, -20.0F));
    const auto missed =
        judge(&good, bad, {.fresh = take(100), .kept = {}, .faults = {take(60, -20.0F)}});
    ASSERT_TRUE(missed);
    EXPECT_FALSE(missed->promote);
    EXPECT_THAT(missed->text, HasSubstr("misses 1 faults"));
    const auto added = judge(&bad, good, {.fresh = take(100, -20.0F), .kept = {}, .faults = {}});
    ASSERT_TRUE(added);
    EXPECT_FALSE(added->promote);
    EXPECT_THAT(added->text, HasSubstr("adds 1 false alarms"));
}

TEST_F(EvaluateTest, ACommissioningModelMustOnlyBeQuiet) {
    const Contender first = contender("first", {}, take(240));
    EXPECT_TRUE(judge(nullptr, first, {.fresh = take(60), .kept = {}, .faults = {}})->promote);
    EXPECT_FALSE(
        judge(nullptr, first, {.fresh = take(60, 20.0F), .kept = {}, .faults = {}})->promote
    );
}

TEST_F(EvaluateTest, APauseBeginsANewStretch) {
    auto rows = take(10);
    time_ += 500'000;
    const auto more = take(5);
    rows.insert(rows.end(), more.begin(), more.end());
    EXPECT_THAT(stretches(rows), testing::ElementsAre(testing::SizeIs(10), testing::SizeIs(5)));
    EXPECT_THAT(stretches({}), testing::IsEmpty());
}

}  // namespace
}  // namespace stator::evaluate
