#include "store/stream/numbers.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace stator::stream {
namespace {

using Came = Numbers::Came;

TEST(Numbers, WhatComesOutOfOrderIsLateOnceAndThenAgain) {
    Numbers numbers;
    EXPECT_EQ(numbers.take(1, 5).came, Came::next);
    EXPECT_EQ(numbers.take(1, 9).jumped, 3U);
    EXPECT_EQ(numbers.take(1, 7).came, Came::late);
    EXPECT_EQ(numbers.take(1, 7).came, Came::again);
    EXPECT_EQ(numbers.take(1, 9).came, Came::again);
    EXPECT_EQ(numbers.take(1, 6).came, Came::late);
    EXPECT_EQ(numbers.take(1, 8).came, Came::late);
    EXPECT_EQ(numbers.take(1, 8).came, Came::again);
    EXPECT_EQ(numbers.take(1, 4).came, Came::again) << "before the first that it was told of";
    EXPECT_EQ(numbers.take(1, 10).came, Came::next);
    EXPECT_EQ(numbers.seq(), 10U);
}

TEST(Numbers, TheRestOfAnOlderBootIsLateAndItsBeginIsOne) {
    Numbers numbers;
    EXPECT_EQ(numbers.take(2, 50).came, Came::next);
    EXPECT_EQ(numbers.take(3, 4).came, Came::next);
    EXPECT_EQ(numbers.take(3, 4).came, Came::again);
    EXPECT_EQ(numbers.take(2, 51).came, Came::late);
    EXPECT_EQ(numbers.take(2, 51).came, Came::again);
    EXPECT_EQ(numbers.take(2, 49).came, Came::again);
    EXPECT_EQ(numbers.take(3, 1).came, Came::late);
    EXPECT_EQ(numbers.take(1, 1).came, Came::again);
    EXPECT_EQ(numbers.boot(), 3U);
}

TEST(Numbers, BehindItsLimitsEverythingCountsAsHad) {
    Numbers numbers;
    for (std::uint64_t seq = 1; seq <= 2 * Numbers::gaps_max + 3; seq += 2)
        EXPECT_EQ(numbers.take(1, seq).came, Came::next);
    EXPECT_EQ(numbers.take(1, 2).came, Came::again);
    EXPECT_EQ(numbers.take(1, 4).came, Came::late);
    for (std::uint32_t boot = 2; boot <= 1 + Numbers::boots_max; ++boot)
        EXPECT_EQ(numbers.take(boot, 1).came, Came::next);
    EXPECT_EQ(numbers.take(1, 1'000).came, Came::again);
    EXPECT_EQ(numbers.take(2, 2).came, Came::late);
}

TEST(Numbers, ATextOfAnotherBootOrOfNoneSaysThatAllUpToThePlaceHasCome) {
    for (const char* text : {"", "7", "6,6;;", "7,7;x", "7,7;6:", "7,7;;7:1-", "7,7;;7:1-2"}) {
        Numbers numbers = Numbers::from(text, 7, 20);
        EXPECT_EQ(numbers.take(7, 20).came, Came::again) << text;
        EXPECT_EQ(numbers.take(7, 1).came, Came::again) << text;
        EXPECT_EQ(numbers.take(6, 30).came, Came::again) << text;
        EXPECT_EQ(numbers.take(7, 21).came, Came::next) << text;
    }
}

TEST(Numbers, ItsTextStaysTheSameWhileNumbersOnlyRise) {
    Numbers numbers;
    for (const std::uint64_t seq : {1U, 2U, 4U})
        static_cast<void>(numbers.take(3, seq));
    const std::string text = numbers.text();
    EXPECT_EQ(text, "3,3;;3:3-3,");
    static_cast<void>(numbers.take(3, 5));
    EXPECT_EQ(numbers.text(), text);
    static_cast<void>(numbers.take(4, 1));
    EXPECT_EQ(numbers.text(), "4,3;3:5,;3:3-3,");
}

// Against sets: any order, any repetition, several boots, written down and read at any moment.
TEST(NumbersModel, AgreesWithTheSetOfWhatCame) {
    for (unsigned seed = 0; seed < 300; ++seed) {
        std::mt19937 random{seed};
        Numbers numbers;
        std::map<std::uint32_t, std::set<std::uint64_t>> came;
        std::uint32_t first_boot = 0;
        std::uint64_t first_seq = 0;
        std::uint64_t front = 1;
        std::uint32_t boot = 1;
        for (int i = 0; i < 400; ++i) {
            if (boot < Numbers::boots_max && random() % 100 == 0) {
                ++boot;
                front = 1;
            }
            front += random() % 12 == 0 ? 2 : random() % 2;  // fewer gaps than gaps_max
            const bool old = boot > 1 && random() % 10 == 0;
            const std::uint32_t of = old ? boot - 1 : boot;
            const std::uint64_t back = random() % 3 == 0 ? random() % 40 : 0;
            const std::uint64_t seq = front > back ? front - back : 1;
            if (i == 0) {
                first_boot = of;
                first_seq = seq;
            }
            const bool before = of < first_boot || (of == first_boot && seq < first_seq);
            const bool again = before || came[of].contains(seq);
            const bool late =
                !again && std::pair{of, seq} < std::pair{numbers.boot(), numbers.seq()};
            const Came expected = again ? Came::again : late ? Came::late : Came::next;
            ASSERT_EQ(numbers.take(of, seq).came, expected) << seed << ' ' << of << ' ' << seq;
            if (!before) came[of].insert(seq);
            if (random() % 10 == 0)
                numbers = Numbers::from(numbers.text(), numbers.boot(), numbers.seq());
        }
    }
}

}  // namespace
}  // namespace stator::stream
