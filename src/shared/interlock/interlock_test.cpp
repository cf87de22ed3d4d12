#include "shared/interlock/interlock.h"

#include <gtest/gtest.h>

#include <optional>

namespace stator::interlock {
namespace {

constexpr Rules rules{
    .min_on_ms = 20, .min_off_ms = 30, .starts_per_hour = 2, .dead_man_ms = 100, .expiry_ms = 10
};
constexpr Conditions free_to_act{.act = true, .locked_out = false, .excluded = false};

// Brings an interlock to a state by its verbs only; returns it with the time it is then.
struct Made {
    Interlock interlock;
    std::int64_t now_ms;
};

Made make(bool on, std::size_t starts_used, std::int64_t since_change_ms) {
    std::int64_t now = 1'000;
    Interlock interlock{rules, now};
    for (std::size_t i = 0; i < starts_used; ++i) {
        now += 50;
        EXPECT_EQ(interlock.start(free_to_act, now, now), Why::allowed);
        if (on && i + 1 == starts_used) break;
        now += 50;
        EXPECT_EQ(interlock.stop(false, now), Why::allowed);
    }
    EXPECT_EQ(interlock.on(), on);
    return {interlock, now + since_change_ms};
}

// The table of the header, written down once more and independently: the first line that applies.
Why expected_start(
    const Conditions& c, bool expired, bool on, bool off_long_enough, std::size_t starts
) {
    if (!c.act) return Why::observe;
    if (c.locked_out) return Why::lock_out;
    if (c.excluded) return Why::excluded;
    if (expired) return Why::expired;
    if (on) return Why::allowed;
    if (!off_long_enough) return Why::minimum_off;
    if (starts >= rules.starts_per_hour) return Why::starts_per_hour;
    return Why::allowed;
}

TEST(Interlock, EveryStateOfTheTableGivesItsAnswerAndOnlyAllowedMovesTheOutput) {
    int states = 0;
    for (unsigned bits = 0; bits < 64; ++bits) {
        const Conditions conditions{
            .act = (bits & 1U) != 0,
            .locked_out = (bits & 2U) != 0,
            .excluded = (bits & 4U) != 0,
        };
        const bool expired = (bits & 8U) != 0;
        const bool on = (bits & 16U) != 0;
        const bool enough = (bits & 32U) != 0;
        for (std::size_t starts = on ? 1 : 0; starts <= 2; ++starts) {
            const std::int64_t since = on ? (enough ? 20 : 19) : (enough ? 30 : 29);
            {
                auto [interlock, now] = make(on, starts, since);
                const Why want = expected_start(conditions, expired, on, enough, starts);
                EXPECT_EQ(interlock.start(conditions, now - (expired ? 11 : 10), now), want)
                    << bits;
                EXPECT_EQ(interlock.on(), on || want == Why::allowed) << bits;
            }
            for (const bool force : {false, true}) {
                auto [interlock, now] = make(on, starts, since);
                const bool stops = !on || force || enough;
                EXPECT_EQ(interlock.stop(force, now), stops ? Why::allowed : Why::minimum_on);
                EXPECT_EQ(interlock.on(), !stops) << bits;
                Why why{};
                EXPECT_EQ(interlock.step(free_to_act, now + 1, why), !stops) << "remembered stop";
                EXPECT_FALSE(interlock.on());
            }
            {
                auto [interlock, now] = make(on, starts, since);
                Why why{};
                const bool must_stop =
                    !conditions.act || conditions.locked_out || conditions.excluded;
                EXPECT_EQ(interlock.step(conditions, now, why), on && must_stop) << bits;
                EXPECT_EQ(interlock.on(), on && !must_stop) << bits;
            }
            ++states;
        }
    }
    EXPECT_EQ(states, 32 * 3 + 32 * 2);
}

TEST(Interlock, ARunThatNobodyRenewsStopsAtTheDeadMansTime) {
    Interlock interlock{rules, 0};
    ASSERT_EQ(interlock.start(free_to_act, 100, 100), Why::allowed);
    Why why{};
    EXPECT_FALSE(interlock.step(free_to_act, 200, why));
    ASSERT_EQ(interlock.start(free_to_act, 200, 200), Why::allowed);  // renewed
    EXPECT_FALSE(interlock.step(free_to_act, 300, why));
    EXPECT_TRUE(interlock.step(free_to_act, 301, why));
    EXPECT_EQ(why, Why::dead_man);
    EXPECT_FALSE(interlock.on());
}

TEST(Interlock, StartsAreForgottenAfterAnHourAndRenewalsAreNoStarts) {
    Interlock interlock{rules, 0};
    ASSERT_EQ(interlock.start(free_to_act, 100, 100), Why::allowed);
    for (int i = 1; i < 50; ++i)
        ASSERT_EQ(interlock.start(free_to_act, 100 + i, 100 + i), Why::allowed);
    ASSERT_EQ(interlock.stop(false, 200), Why::allowed);
    ASSERT_EQ(interlock.start(free_to_act, 300, 300), Why::allowed);
    ASSERT_EQ(interlock.stop(false, 400), Why::allowed);
    EXPECT_EQ(interlock.start(free_to_act, 500, 500), Why::starts_per_hour);
    EXPECT_EQ(interlock.start(free_to_act, 3'600'099, 3'600'099), Why::starts_per_hour);
    EXPECT_EQ(interlock.start(free_to_act, 3'600'100, 3'600'100), Why::allowed);
}

TEST(Interlock, AfterPowerUpTheMinimumOffTimeRuns) {
    Interlock interlock{rules, 5'000};
    EXPECT_EQ(interlock.start(free_to_act, 5'029, 5'029), Why::minimum_off);
    EXPECT_EQ(interlock.start(free_to_act, 5'030, 5'030), Why::allowed);
}

TEST(Interlock, StartsThatAreKnownOfTheHourBeforeCountAsMadeNow) {
    Interlock interlock{rules, 0};
    interlock.restore_starts(rules.starts_per_hour - 1, 0);
    EXPECT_EQ(interlock.starts_in_the_last_hour(0), rules.starts_per_hour - 1U);
    ASSERT_EQ(interlock.start(free_to_act, 100, 100), Why::allowed);
    ASSERT_EQ(interlock.stop(true, 200), Why::allowed);
    EXPECT_EQ(interlock.start(free_to_act, 300, 300), Why::starts_per_hour);
    EXPECT_EQ(interlock.start(free_to_act, 3'600'000, 3'600'000), Why::allowed);
    EXPECT_EQ(interlock.starts_in_the_last_hour(3'600'000), 2U);
    interlock.restore_starts(1'000, 0);
    EXPECT_EQ(interlock.starts_in_the_last_hour(0), starts_per_hour_max);
}

}  // namespace
}  // namespace stator::interlock
