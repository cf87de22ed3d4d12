#include "sense/session/clock.h"

#include "sense/session/fake_socket_test.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace stator::session {
namespace {

constexpr std::int64_t year_2026 = 1'767'225'600;

struct TestClock final : Clock {
    using Clock::Clock;

    std::int64_t monotonic_us() override { return now_us; }

    std::int64_t now_us = 5'000'000;
};

std::vector<std::uint8_t> answer(const TimeQuestion::Packet& question, std::int64_t unix_s) {
    std::vector<std::uint8_t> bytes(48);
    bytes[0] = 0x24;  // version 4, server
    bytes[1] = 1;
    std::copy_n(question.begin() + 40, 8, bytes.begin() + 24);
    const auto seconds = static_cast<std::uint32_t>(unix_s + 2'208'988'800);
    for (unsigned i = 0; i < 4; ++i)
        bytes[40 + i] = static_cast<std::uint8_t>(seconds >> (24 - 8 * i));
    bytes[44] = 0x80;  // and a half
    return bytes;
}

struct ClockTest : testing::Test {
    TestClock clock{year_2026};
    FakeChance chance;
    TimeQuestion time{clock, chance};
};

TEST_F(ClockTest, AnAnswerThatRepeatsTheCookieSetsTheClockWhichGoesOn) {
    EXPECT_FALSE(clock.synced());
    EXPECT_EQ(clock.unix_ms(), 0);
    ASSERT_TRUE(time.due());
    ASSERT_TRUE(time.take(answer(time.ask(), year_2026 + 100)));
    EXPECT_EQ(clock.unix_ms(), (year_2026 + 100) * 1000 + 500);
    clock.now_us += 2'000'000;
    EXPECT_EQ(clock.unix_ms(), (year_2026 + 102) * 1000 + 500);
    EXPECT_FALSE(time.due());
    clock.now_us += 3'600'000'000;
    EXPECT_TRUE(time.due());
}

TEST_F(ClockTest, AnAnswerIsGoodForOneQuestionOnly) {
    const auto first = answer(time.ask(), year_2026 + 100);
    ASSERT_TRUE(time.take(first));
    EXPECT_FALSE(time.take(first));
    const auto old = answer(time.ask(), year_2026 + 100);
    static_cast<void>(time.ask());
    EXPECT_FALSE(time.take(old));
}

TEST_F(ClockTest, BeforeItsFirstQuestionItBelievesNobody) {
    EXPECT_FALSE(time.take(answer(TimeQuestion::Packet{}, year_2026 + 100)));
    EXPECT_FALSE(clock.synced());
}

TEST_F(ClockTest, SecondsThatBeginAnewIn2036AreAfterIt) {
    constexpr std::int64_t year_2040 = 2'208'988'800;
    ASSERT_TRUE(time.take(answer(time.ask(), year_2040)));
    EXPECT_EQ(clock.unix_ms(), year_2040 * 1000 + 500);
}

TEST_F(ClockTest, ATimeBelowTheBoundIsRefusedAndCounted) {
    EXPECT_FALSE(time.take(answer(time.ask(), year_2026 - 1)));
    EXPECT_EQ(time.refused(), 1U);
    EXPECT_FALSE(clock.synced());
}

TEST_F(ClockTest, TheClockGoesBackByACorrectionOnly) {
    ASSERT_TRUE(time.take(answer(time.ask(), year_2026 + 1'000)));
    EXPECT_TRUE(time.take(answer(time.ask(), year_2026 + 950)));
    EXPECT_FALSE(time.take(answer(time.ask(), year_2026 + 500)));
}

TEST_F(ClockTest, WhatIsNoServersAnswerIsPassedOver) {
    const auto question = time.ask();
    auto client = answer(question, year_2026 + 100);
    client[0] = 0x23;
    EXPECT_FALSE(time.take(client));
    auto unsynchronised = answer(question, year_2026 + 100);
    unsynchronised[1] = 0;  // a kiss of death
    EXPECT_FALSE(time.take(unsynchronised));
    auto alarm = answer(question, year_2026 + 100);
    alarm[0] = 0xE4;  // its own clock is not set
    EXPECT_FALSE(time.take(alarm));
    auto empty = answer(question, year_2026 + 100);
    std::fill(empty.begin() + 40, empty.end(), std::uint8_t{0});
    EXPECT_FALSE(time.take(empty));
    const auto whole = answer(question, year_2026 + 100);
    EXPECT_FALSE(time.take(std::span{whole}.first(47)));
    EXPECT_TRUE(time.take(whole));
}

}  // namespace
}  // namespace stator::session
