#include "sense/node/flash_log.h"

#include "sense/node/fake_hal_test.h"

#include <gtest/gtest.h>

#include <deque>

namespace stator::node {
namespace {

constexpr std::uint32_t magic = 0x4C455442;
constexpr std::size_t sector = 512;
constexpr std::uint32_t sectors = 5;

struct Entry {
    Key key;
    std::string body;
    std::string context;
    friend bool operator==(const Entry&, const Entry&) = default;
};

std::span<const std::byte> bytes_of(const std::string& text) {
    return std::as_bytes(std::span{text.data(), text.size()});
}

std::string text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::vector<Entry> all_of(const FlashLog& log) {
    std::vector<Entry> all;
    LogRecord record;
    for (LogPlace place = log.oldest(); log.look(place, record); place = record.next)
        all.push_back({record.key, text_of(record.body), text_of(record.context)});
    return all;
}

Entry entry(std::uint64_t seq, std::mt19937& random) {
    Entry made{{.boot = 1, .seq = seq}, std::string(random() % 90, 'b'), {}};
    for (char& c : made.body)
        c = static_cast<char>(random());
    if (random() % 3 != 0) made.context = random() % 2 == 0 ? "one" : "another one";
    return made;
}

base::Result<void> append(FlashLog& log, const Entry& made) {
    return log.append(1, made.key, bytes_of(made.body), bytes_of(made.context));
}

// A record without a context of its own has what was said before it in its sector.
bool same(const Entry& read, const Entry& written) {
    return read.key == written.key && read.body == written.body &&
           (written.context.empty() || read.context == written.context);
}

// Appends, frees and restarts at random; the power is cut before, or inside, one operation in about
// twenty. What returned is there, in order; what was torn is there whole or not at all.
TEST(FlashLog, WhatWasAppendedIsThereAfterAnyCutUntilItIsFreed) {
    int cuts = 0;
    int frees = 0;
    int drops = 0;
    int torn_and_whole = 0;
    for (unsigned seed = 0; seed < 300; ++seed) {
        std::mt19937 random{seed};
        fake::Flash flash{sectors, sector};
        std::optional<FlashLog> log;
        log.emplace(flash, 0, sectors, magic);
        std::deque<Entry> model;  // what must be there, and older things that may be
        std::size_t freed = 0;    // so many at its front were freed: they may be there again
        std::optional<Entry> torn;
        std::uint64_t seq = 0;
        for (int i = 0; i < 200; ++i) {
            if (random() % 20 == 0)
                flash.cut_power_at(flash.operations + random() % 3, random() % 70);
            if (random() % 8 == 0) {
                // All up to a record in the middle is stored.
                LogPlace place = log->oldest();
                LogRecord record;
                const std::size_t count = random() % 12;
                std::size_t stored = 0;
                for (; stored < count && log->look(place, record); ++stored)
                    place = record.next;
                const std::uint32_t before = log->oldest().sequence;
                const std::size_t held = all_of(*log).size();
                if (log->free_before(place)) {
                    ASSERT_EQ(log->oldest().sequence, before + 1);
                    const std::size_t left = all_of(*log).size();
                    ASSERT_LE(held - left, stored) << seed << ": one behind the place is gone";
                    freed = model.size() - left;
                    ++frees;
                }
            } else {
                const Entry made = entry(++seq, random);
                const auto done = append(*log, made);
                if (done) {
                    model.push_back(made);
                } else if (done.error() == base::Fault::full) {
                    const std::uint32_t before = log->oldest().sequence;
                    log->drop_oldest();
                    ASSERT_EQ(log->oldest().sequence, before + 1);
                    freed = model.size() - all_of(*log).size();
                    ++drops;
                } else {
                    ASSERT_TRUE(flash.off);
                    torn = made;
                }
            }
            if (!flash.off && random() % 30 != 0) continue;
            cuts += flash.off ? 1 : 0;
            flash.restart();
            log.emplace(flash, 0, sectors, magic);
            const auto now = all_of(*log);
            if (torn && !now.empty() && same(now.back(), *torn)) {
                model.push_back(*torn);
                ++torn_and_whole;
            }
            torn.reset();
            ASSERT_LE(now.size(), model.size()) << seed;
            ASSERT_GE(now.size(), model.size() - freed) << seed;
            const std::size_t skipped = model.size() - now.size();
            for (std::size_t k = 0; k < now.size(); ++k)
                ASSERT_TRUE(same(now[k], model[skipped + k])) << seed << ' ' << i;
            model.erase(model.begin(), model.begin() + static_cast<std::ptrdiff_t>(skipped));
            freed -= std::min(freed, skipped);
        }
    }
    EXPECT_GT(cuts, 1'000);
    EXPECT_GT(frees, 100);
    EXPECT_GT(drops, 100);
    EXPECT_GT(torn_and_whole, 10);
}

// The sweep: a fixed story of appends and frees, cut at each of its operations, torn after each
// unit: then it goes on.
TEST(FlashLog, ACutInsideAnyOperationLosesNothingThatHadReturned) {
    int cuts = 0;
    int torn_and_whole = 0;
    for (std::uint64_t operation = 0;; ++operation) {
        bool any = false;
        for (std::size_t torn = 0; torn <= sector; torn += torn < 96 ? 4 : 52) {
            fake::Flash flash{3, sector};
            flash.cut_power_at(operation, torn);
            FlashLog log{flash, 0, 3, magic};
            std::mt19937 random{5};
            std::vector<Entry> kept;
            std::optional<Entry> torn_one;
            for (std::uint64_t seq = 1; seq <= 30 && !flash.off; ++seq) {
                const Entry made = entry(seq, random);
                const auto done = append(log, made);
                if (done) kept.push_back(made);
                if (flash.off) torn_one = made;
                if (seq % 12 == 0) log.drop_oldest();
            }
            if (!flash.off) continue;
            any = true;
            ++cuts;
            const auto before = all_of(log);
            flash.restart();
            FlashLog again{flash, 0, 3, magic};
            const auto after = all_of(again);
            if (torn_one && !after.empty() && same(after.back(), *torn_one)) {
                kept.push_back(*torn_one);
                ++torn_and_whole;
            }
            ASSERT_GE(after.size(), before.size()) << operation << ' ' << torn;
            ASSERT_LE(after.size(), kept.size()) << operation << ' ' << torn;
            ASSERT_TRUE(std::ranges::equal(after, std::span{kept}.last(after.size()), same))
                << operation << ' ' << torn;
            const Entry more{{.boot = 2, .seq = 1}, "after the cut", "context"};
            auto done = append(again, more);
            if (!done) {  // all three are in use
                again.drop_oldest();
                done = append(again, more);
            }
            ASSERT_TRUE(done) << operation << ' ' << torn;
            EXPECT_EQ(all_of(again).back(), more);
        }
        if (!any) break;
    }
    EXPECT_GT(cuts, 40 * 25);
    EXPECT_GT(torn_and_whole, 10);
}

class CountingFlash final : public hal::Flash {
  public:
    explicit CountingFlash(std::size_t count) : inner_{count, sector}, erases(count) {}

    [[nodiscard]] std::size_t size_bytes() const override { return inner_.size_bytes(); }

    [[nodiscard]] std::size_t sector_bytes() const override { return sector; }

    [[nodiscard]] std::span<const std::byte> mapped(std::size_t offset, std::size_t size)
        const override {
        return inner_.mapped(offset, size);
    }

    base::Result<void> erase(std::size_t offset) override {
        ++erases[offset / sector];
        if (bad == static_cast<int>(offset / sector)) return std::unexpected{base::Fault::io};
        return inner_.erase(offset);
    }

    base::Result<void> program(std::size_t offset, std::span<const std::byte> data) override {
        return inner_.program(offset, data);
    }

  private:
    fake::Flash inner_;

  public:
    std::vector<int> erases;
    int bad = -1;
};

TEST(FlashLog, EverySectorIsErasedAsOftenAsTheOthers) {
    CountingFlash flash{sectors};
    std::mt19937 random{1};
    std::optional<FlashLog> log;
    for (std::uint64_t seq = 1; seq <= 3'000; ++seq) {
        if (seq % 100 == 1) log.emplace(flash, 0, sectors, magic);  // over restarts, too
        const Entry made = entry(seq, random);
        if (append(*log, made)) continue;
        log->drop_oldest();
        ASSERT_TRUE(append(*log, made));
    }
    const auto [least, most] = std::ranges::minmax(flash.erases);
    EXPECT_GT(least, 50);
    EXPECT_LE(most - least, 1);
}

TEST(FlashLog, ASectorThatFailsIsPassedOver) {
    CountingFlash flash{sectors};
    FlashLog log{flash, 0, sectors, magic};
    flash.bad = 2;
    std::vector<Entry> kept;
    int faults = 0;
    for (std::uint64_t seq = 1; seq <= 30; ++seq) {
        const Entry made{{.boot = 1, .seq = seq}, std::string(60, 'x'), {}};
        auto done = append(log, made);
        if (!done && done.error() == base::Fault::io) {
            ++faults;
            done = append(log, made);
        }
        if (!done) break;
        kept.push_back(made);
    }
    EXPECT_EQ(faults, 1);
    EXPECT_GT(kept.size(), 20U);
    EXPECT_EQ(all_of(log), kept);
}

// Bytes of any kind: looking ends, and what it gives was once written.
TEST(FlashLog, WhatIsReadFromADamagedRegionWasOnceWritten) {
    std::mt19937 random{3};
    std::size_t found = 0;
    for (int run = 0; run < 2'000; ++run) {
        fake::Flash flash{sectors, sector};
        std::vector<Entry> written;
        {
            FlashLog log{flash, 0, sectors, magic};
            for (std::uint64_t seq = 1; seq <= 20; ++seq) {
                const Entry made = entry(seq, random);
                if (!append(log, made)) break;
                written.push_back(made);
            }
        }
        for (unsigned k = 0; k <= random() % 8; ++k)
            flash.bytes[random() % flash.bytes.size()] ^=
                static_cast<std::byte>(1 + random() % 255);
        FlashLog log{flash, 0, sectors, magic};
        for (const Entry& read : all_of(log)) {
            ++found;
            const auto was = [&](const Entry& one) {
                return one.key == read.key && one.body == read.body;
            };
            ASSERT_TRUE(std::ranges::any_of(written, was)) << run;
        }
        const Entry more{{.boot = 2, .seq = 1}, "more", {}};
        if (!append(log, more)) {
            log.drop_oldest();
            ASSERT_TRUE(append(log, more));
        }
        ASSERT_EQ(all_of(log).back().body, "more");
    }
    EXPECT_GT(found, 10'000U);
}

// The worked example of docs/formats/backlog.md.
TEST(FlashLog, ASectorHasTheBytesOfItsPage) {
    fake::Flash flash{2, sector};
    FlashLog log{flash, 0, 2, 0x47525542};
    ASSERT_TRUE(log.append(5, {.boot = 3, .seq = 65}, {}));
    ASSERT_TRUE(log.append(4, {.boot = 3, .seq = 1}, bytes_of("{}")));
    constexpr std::array<unsigned, 60> expected = {
        0x42, 0x55, 0x52, 0x47, 0,    0,    0, 0,    0xCF, 0x38, 0xFC, 0xA5, 0xFF, 0xFF, 0xFF,
        0xFF, 0,    0,    5,    0,    3,    0, 0,    0,    0x41, 0,    0,    0,    0,    0,
        0,    0,    0x00, 0x26, 0x28, 0x43, 2, 0,    4,    0,    3,    0,    0,    0,    1,
        0,    0,    0,    0,    0,    0,    0, 0x8E, 0x46, 0xB6, 0xFE, 0x7B, 0x7D, 0xFF, 0xFF,
    };
    for (std::size_t i = 0; i < expected.size(); ++i)
        EXPECT_EQ(std::to_integer<unsigned>(flash.bytes[i]), expected[i]) << i;
}

}  // namespace
}  // namespace stator::node
