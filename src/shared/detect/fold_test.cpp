#include "shared/detect/fold.h"

#include "shared/detect/small_model_test.h"

#include <gmock/gmock.h>

#include <bit>
#include <cmath>
#include <deque>
#include <limits>
#include <random>
#include <vector>

namespace stator::detect {
namespace {

using Reading = std::vector<float>;

constexpr std::array<float, small_model_inputs> ones{1, 1, 1, 1, 1, 1, 1, 1};

// The fold as its header tells it, from the whole history each time.
class Reference {
  public:
    Reference(const Parameters& parameters, tinyml::Model& model)
        : p_{parameters}, model_{model}, shift_(parameters.feature_count, 0.0F) {}

    Verdict step(const Reading& reading) {
        Verdict verdict;
        verdict.alarm = alarm_;
        verdict.value = ewma_;
        for (const float x : reading)
            if (!std::isfinite(x)) return verdict;
        readings_.push_back(reading);
        const std::size_t have = std::min<std::size_t>(readings_.size(), p_.smooth_count);
        Reading standard(p_.feature_count);
        for (std::size_t i = 0; i < standard.size(); ++i) {
            float sum = 0.0F;
            for (std::size_t k = readings_.size() - have; k < readings_.size(); ++k)
                sum += readings_[k][i];
            const float z = (sum / static_cast<float>(have) - p_.mean[i]) / p_.sd[i] - shift_[i];
            standard[i] = std::min(std::max(z, -p_.range_sd), p_.range_sd);
        }
        standards_.push_back(standard);
        if (readings_.size() < p_.smooth_count + p_.window_count - 1) {
            verdict.value = 0.0F;
            return verdict;
        }
        judge(standard, verdict);
        return verdict;
    }

    [[nodiscard]] const Reading& shift() const { return shift_; }

  private:
    void judge(const Reading& standard, Verdict& verdict) {
        Reading input;
        for (std::size_t k = standards_.size() - p_.window_count; k < standards_.size(); ++k)
            input.insert(input.end(), standards_[k].begin(), standards_[k].end());
        float value = 0.0F;
        model_.invoke(input, std::span{&value, 1});
        ewma_ = values_++ == 0 ? value : ewma_ + p_.ewma_alpha * (value - ewma_);
        // Alarms begin and end after an unbroken run of readings on the other side.
        beyond_ = (alarm_ ? ewma_ < p_.clear_below : ewma_ >= p_.threshold) ? beyond_ + 1 : 0;
        if (beyond_ == (alarm_ ? p_.clear_count : p_.raise_count)) {
            (alarm_ ? verdict.cleared : verdict.raised) = true;
            alarm_ = !alarm_;
            beyond_ = 0;
        }
        verdict.ready = true;
        verdict.value = ewma_;
        verdict.alarm = alarm_;
        float squares = 0.0F;
        for (const float z : standard)
            squares += z * z;
        for (std::size_t i = 0; i < standard.size(); ++i) {
            if (squares > 0.0F) verdict.contribution.at(i) = standard[i] * standard[i] / squares;
            if (alarm_ || ewma_ >= p_.clear_below || p_.adapt_rate == 0.0F) continue;
            const float moved = shift_[i] + p_.adapt_rate * standard[i];
            shift_[i] = std::min(std::max(moved, -p_.anchor_sd_max), p_.anchor_sd_max);
        }
    }

    const Parameters& p_;
    tinyml::Model& model_;
    std::vector<Reading> readings_;
    std::vector<Reading> standards_;
    Reading shift_;
    std::size_t values_ = 0;
    std::uint32_t beyond_ = 0;
    float ewma_ = 0.0F;
    bool alarm_ = false;
};

// Parameters that make alarms come and go within a few readings.
Parameters random_parameters(std::mt19937& random) {
    const auto real = [&](float low, float high) {
        return std::uniform_real_distribution<float>{low, high}(random);
    };
    const auto whole = [&](std::uint32_t low, std::uint32_t high) {
        return std::uniform_int_distribution<std::uint32_t>{low, high}(random);
    };
    Parameters made;
    made.feature_count = std::size_t{1} << whole(0, 3);
    made.window_count = static_cast<std::uint32_t>(small_model_inputs / made.feature_count);
    made.smooth_count = whole(1, smooth_max);
    for (std::size_t i = 0; i < made.feature_count; ++i) {
        made.mean.at(i) = real(-50.0F, 50.0F);
        made.sd.at(i) = real(0.01F, 5.0F);
    }
    made.range_sd = real(2.0F, 20.0F);
    made.adapt_rate = whole(0, 1) == 0 ? 0.0F : real(0.0F, 0.2F);
    made.anchor_sd_max = real(0.0F, 2.0F);
    made.ewma_alpha = real(0.05F, 1.0F);
    made.threshold = real(0.4F, 0.6F);
    made.clear_below = made.threshold - real(0.0F, 0.2F);
    made.raise_count = whole(1, 5);
    made.clear_count = whole(1, 5);
    return made;
}

void expect_same_bits(const Verdict& said, const Verdict& wanted) {
    EXPECT_EQ(std::bit_cast<std::uint32_t>(said.value), std::bit_cast<std::uint32_t>(wanted.value));
    EXPECT_EQ(said.ready, wanted.ready);
    EXPECT_EQ(said.alarm, wanted.alarm);
    EXPECT_EQ(said.raised, wanted.raised);
    EXPECT_EQ(said.cleared, wanted.cleared);
    EXPECT_EQ(said.contribution, wanted.contribution);
}

TEST(Fold, IsTheReferenceBitForBitForRandomParametersAndReadings) {
    std::size_t raised = 0;
    std::size_t cleared = 0;
    std::size_t missing = 0;
    std::size_t moved = 0;
    for (unsigned seed = 0; seed < 120; ++seed) {
        std::mt19937 random{seed};
        const Parameters parameters = random_parameters(random);
        std::normal_distribution<float> normal;
        std::array<float, small_model_inputs> weights{};
        for (float& weight : weights)
            weight = normal(random);
        SmallModel small{normal(random), weights};
        Reference reference{parameters, small.model()};
        State state;
        State twin;
        for (int t = 0; t < 200; ++t) {
            Reading reading;
            for (std::size_t i = 0; i < parameters.feature_count; ++i)
                reading.push_back(
                    parameters.mean.at(i) + parameters.sd.at(i) * 3.0F * normal(random)
                );
            if (random() % 20 == 0) {
                ++missing;
                reading[random() % reading.size()] = random() % 2 == 0
                                                         ? std::numeric_limits<float>::quiet_NaN()
                                                         : std::numeric_limits<float>::infinity();
            }
            SCOPED_TRACE(testing::Message() << "seed " << seed << ", reading " << t);
            const Verdict said = step(state, reading, parameters, small.model());
            expect_same_bits(said, reference.step(reading));
            expect_same_bits(step(twin, reading, parameters, small.model()), said);
            for (std::size_t i = 0; i < parameters.feature_count; ++i)
                EXPECT_EQ(state.slow_shift_sd.at(i), reference.shift().at(i));
            raised += said.raised ? 1 : 0;
            cleared += said.cleared ? 1 : 0;
            moved += state.slow_shift_sd[0] != 0.0F ? 1 : 0;
            if (HasFailure()) return;
        }
    }
    EXPECT_GT(raised, 100U) << "the readings must reach every branch";
    EXPECT_GT(cleared, 100U);
    EXPECT_GT(missing, 100U);
    EXPECT_GT(moved, 1000U);
}

// One feature, no smoothing, no memory but the persistence: x itself decides.
struct Plain {
    Parameters parameters;
    // LOGISTIC(8 x): 0.5 at 0, and far from it a little beside.
    SmallModel small{0.0F, ones};
    State state;

    Plain() {
        parameters.feature_count = small_model_inputs;
        parameters.sd.fill(1.0F);
        parameters.smooth_count = 1;
        parameters.ewma_alpha = 1.0F;
    }

    Verdict feed(float x) {
        const Reading reading(small_model_inputs, x);
        return step(state, reading, parameters, small.model());
    }
};

TEST(Fold, RaisesOnlyAfterAnUnbrokenRunOverTheThreshold) {
    Plain fold;
    fold.parameters.raise_count = 3;
    for (const float x : {1.0F, 1.0F, -1.0F, 1.0F, 1.0F})
        EXPECT_FALSE(fold.feed(x).alarm);
    const Verdict third = fold.feed(1.0F);
    EXPECT_TRUE(third.alarm);
    EXPECT_TRUE(third.raised);
    EXPECT_FALSE(fold.feed(1.0F).raised) << "told once";
}

TEST(Fold, ClearsOnlyAfterAnUnbrokenRunBelowTheDeadBand) {
    Plain fold;
    fold.parameters.raise_count = 1;
    fold.parameters.clear_count = 2;
    ASSERT_TRUE(fold.feed(1.0F).raised);
    const float inside = -0.02F;  // logistic(-0.16) = 0.46: under the threshold, in the dead-band
    const float below = -1.0F;
    for (const float x : {below, inside, below, inside, inside, inside})
        EXPECT_TRUE(fold.feed(x).alarm);
    EXPECT_TRUE(fold.feed(below).alarm);
    const Verdict last = fold.feed(below);
    EXPECT_FALSE(last.alarm);
    EXPECT_TRUE(last.cleared);
    EXPECT_FALSE(fold.feed(below).cleared) << "told once";
}

TEST(Fold, SaysNothingNewOfAReadingThatLacksAFeature) {
    Plain fold;
    fold.parameters.raise_count = 2;
    const float value = fold.feed(1.0F).value;
    Reading broken(small_model_inputs, 1.0F);
    broken[5] = std::numeric_limits<float>::quiet_NaN();
    for (int i = 0; i < 10; ++i) {
        const Verdict verdict = step(fold.state, broken, fold.parameters, fold.small.model());
        EXPECT_FALSE(verdict.ready);
        EXPECT_FALSE(verdict.alarm);
        EXPECT_EQ(verdict.value, value);
    }
    EXPECT_TRUE(fold.feed(1.0F).raised) << "the run goes on where it was";
}

TEST(Fold, MovesTheSlowBaselineNoFurtherThanTheAnchorAllows) {
    Plain fold;
    fold.parameters.adapt_rate = 0.5F;
    fold.parameters.anchor_sd_max = 0.75F;
    for (int i = 0; i < 100; ++i) {
        static_cast<void>(fold.feed(-3.0F));
        for (const float shift : fold.state.slow_shift_sd)
            EXPECT_LE(std::abs(shift), 0.75F);
    }
    EXPECT_EQ(fold.state.slow_shift_sd[0], -0.75F);
}

TEST(Fold, LearnsNothingInAlarmNorNearTheLimit) {
    Plain fold;
    fold.parameters.adapt_rate = 0.5F;
    fold.parameters.anchor_sd_max = 5.0F;
    for (const float x : {-0.02F, 1.0F, 1.0F, 1.0F, 1.0F})
        static_cast<void>(fold.feed(x));
    ASSERT_TRUE(fold.state.alarm);
    EXPECT_EQ(fold.state.slow_shift_sd[0], 0.0F);
    static_cast<void>(fold.feed(-3.0F));
    ASSERT_TRUE(fold.state.alarm) << "one calm reading ends no alarm";
    EXPECT_EQ(fold.state.slow_shift_sd[0], 0.0F);
}

}  // namespace
}  // namespace stator::detect
