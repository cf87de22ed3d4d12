#include "learn/train/train.h"

#include "learn/quantise/quantise.h"
#include "shared/tinyml/model.h"

#include <gmock/gmock.h>

#include <cmath>
#include <random>
#include <span>

namespace stator::train {
namespace {

using runs::Row;

constexpr std::size_t features = 6;

// Correlated features that wander (first-order autoregressive) around an operating point.
class Machine {
  public:
    explicit Machine(unsigned seed) : random_{seed} {}

    std::vector<Row> take(std::size_t count, double severity_step = 0, double load = 0) {
        std::vector<Row> rows;
        for (std::size_t r = 0; r < count; ++r) {
            common_ = 0.98 * common_ + 0.2 * normal_(random_);
            slow_ = 0.999 * slow_ + 0.0447 * normal_(random_);
            severity_ = std::min(1.0, severity_ + severity_step);
            Row row;
            for (std::size_t i = 0; i < features; ++i) {
                const double noise = normal_(random_) + (i < 3 ? common_ : 0.0) + 0.3 * slow_;
                const double shift =
                    (i == 4 ? 25.0 * severity_ : 0.0) + (i == 1 ? 8.0 * load : 0.0);
                row.features.push_back(static_cast<float>(10.0 + 0.2 * (noise + shift)));
            }
            rows.push_back(std::move(row));
        }
        return rows;
    }

  private:
    std::mt19937 random_;
    std::normal_distribution<double> normal_;
    double common_ = 0;
    double slow_ = 0;
    double severity_ = 0;
};

struct Detector {
    Trained trained;
    std::string file;
    std::vector<std::byte> arena;

    // The rows at which an alarm began.
    std::vector<std::size_t> raised(const std::vector<Row>& rows) {
        const auto bytes = std::as_bytes(std::span{file});
        tinyml::Reason reason;
        const auto needs = tinyml::check(bytes, reason);
        EXPECT_TRUE(needs) << reason.view();
        arena.resize(needs->arena_bytes);
        auto model = tinyml::Model::load(bytes, arena, reason);
        EXPECT_TRUE(model) << reason.view();
        detect::State state;
        std::vector<std::size_t> made;
        for (std::size_t i = 0; i < rows.size(); ++i)
            if (detect::step(state, rows[i].features, trained.fold, *model).raised)
                made.push_back(i);
        return made;
    }
};

Detector detector(const std::vector<Row>& reference, const std::vector<Row>& fresh, int level) {
    auto trained = baseline(reference, fresh, features, level, {});
    EXPECT_TRUE(trained);
    auto file = quantise::quantise(trained->network, trained->windows);
    EXPECT_TRUE(file) << file.error().what;
    return {.trained = *trained, .file = file->tflite, .arena = {}};
}

class EachLevel : public testing::TestWithParam<int> {};

TEST_P(EachLevel, AHealthyMachineRaisesNothingAndAGrowingFaultIsFoundEarly) {
    for (const unsigned seed : {1U, 2U, 3U}) {
        Machine machine{seed};
        Detector made = detector({}, machine.take(240), GetParam());
        std::vector<Row> rows = machine.take(24'000);
        EXPECT_THAT(made.raised(rows), testing::IsEmpty()) << "seed " << seed;
        const std::size_t onset = rows.size();
        const auto worn = machine.take(500, 1.0 / 500);
        rows.insert(rows.end(), worn.begin(), worn.end());
        const auto raised = made.raised(rows);
        ASSERT_THAT(raised, testing::SizeIs(1)) << "seed " << seed;
        EXPECT_GT(raised[0], onset + 20);
        EXPECT_LT(raised[0], onset + 350) << "seed " << seed;
    }
}

TEST_P(EachLevel, BothOperatingPointsAreNormalToAModelOfBothHoweverFewRowsOneHas) {
    Machine machine{4};
    const auto reference = machine.take(2000);
    const auto changed = machine.take(120, 0, 1);
    Detector old = detector({}, reference, GetParam());
    EXPECT_THAT(old.raised(machine.take(300, 0, 1)), testing::SizeIs(1));
    Detector both = detector(reference, changed, GetParam());
    EXPECT_THAT(both.raised(machine.take(600, 0, 1)), testing::IsEmpty());
    EXPECT_THAT(both.raised(machine.take(600)), testing::IsEmpty());
    EXPECT_THAT(both.raised(machine.take(500, 1.0 / 500, 1)), testing::SizeIs(1));
    // Equal weight: the mean lies half way.
    const float shift = both.trained.fold.mean[1] - old.trained.fold.mean[1];
    EXPECT_NEAR(shift, 0.8F, 0.25F);
}

INSTANTIATE_TEST_SUITE_P(Train, EachLevel, testing::Values(1, 2));

TEST(Train, AValueOfOneHalfStandsAtTheLimit) {
    Machine machine{5};
    const auto trained = baseline({}, machine.take(240), features, 1, {});
    ASSERT_TRUE(trained);
    // Along the whitened first axis the distance is exact: solve for the input at the limit.
    const auto& dense = std::get<quantise::Dense>(trained->network.layers[0]);
    double squares = 0;
    for (std::size_t o = 0; o < features; ++o)
        squares += std::pow(static_cast<double>(dense.weights[o * features]), 2.0);
    std::vector<float> row(features, 0.0F);
    row[0] = static_cast<float>(trained->limit / std::sqrt(squares));
    EXPECT_NEAR(quantise::evaluate(trained->network, row)[0], 0.5, 1e-4);
    EXPECT_GE(trained->limit, 1.6 * trained->p99);
}

TEST(Train, AStuckFeatureHasADeviationThatIsNotZero) {
    std::vector<Row> rows(100, Row{.time_unix_ms = 0, .features = {0.0F, 5.0F}});
    const auto trained = baseline({}, rows, 2, 1, {});
    ASSERT_TRUE(trained);
    EXPECT_GT(trained->fold.sd[0], 0.0F);
    EXPECT_FLOAT_EQ(trained->fold.sd[1], 0.05F);
}

TEST(Train, TooFewRowsAreRefused) {
    Machine machine{6};
    const auto trained = baseline({}, machine.take(20), features, 1, {});
    ASSERT_FALSE(trained);
    EXPECT_EQ(trained.error().fault, base::Fault::bad_input);
}

}  // namespace
}  // namespace stator::train
