#include "sense/node/backlog_fixture_test.h"

#include <cstdlib>
#include <deque>
#include <random>

namespace stator::node {
namespace {

TEST(Backlog, WhatRamCannotHoldComesFromFlashInOrderAsItWas) {
    Device device{64, 1024};
    Site site;
    device.restart();
    for (int i = 0; i < 400; ++i)
        device.measure(ReadingKind::telemetry, i < 200 ? 1 : 2);
    EXPECT_EQ(device.outbox->shed_count(), 0U);
    EXPECT_GT(device.outbox->in_flash(), 390U);
    device.talk(site);
    ASSERT_EQ(site.messages.size(), 401U);
    for (std::size_t i = 1; i < site.messages.size(); ++i) {
        const Sent& sent = site.messages[i];
        ASSERT_EQ(sent.key, (Key{1, i + 1}));
        ASSERT_EQ(sent.time_unix_ms, static_cast<std::int64_t>(1'000'001 + i));
        ASSERT_EQ(sent.first_feature, static_cast<float>(i + 1));
        ASSERT_EQ(sent.model, i <= 200 ? "first-model" : "second-model");
    }
    EXPECT_TRUE(site.gaps.empty());
}

TEST(Backlog, ItOutlivesARestartKeepsItsBootAndTheEndOfTheBootIsDeclared) {
    Device device{64, 1024};
    Site site;
    device.restart();
    for (int i = 0; i < 100; ++i)
        device.measure(ReadingKind::telemetry, 1);
    const std::uint64_t last = device.outbox->seq_last();
    const std::size_t in_ram = device.outbox->in_ram();
    ASSERT_GT(in_ram, 0U);
    device.restart();
    for (int i = 0; i < 30; ++i)
        device.measure(ReadingKind::telemetry, 2);
    device.talk(site);
    EXPECT_EQ(site.received[1].size(), last - in_ram + 1);  // and the gap's own number
    EXPECT_EQ(site.received[2].size(), 31U);
    ASSERT_EQ(site.gaps.size(), 1U);
    EXPECT_EQ(site.gaps[0].first, 1U);
    EXPECT_LE(site.gaps[0].second.from, last - in_ram + 1);
    EXPECT_GE(site.gaps[0].second.to, last);
    EXPECT_LE(site.gaps[0].second.to, last + Backlog::reserve_numbers + 16);
    EXPECT_EQ(site.passed_over, 0);
}

TEST(Backlog, AnOrderlyEndLosesNothingAndHasNothingToDeclare) {
    Device device{64, 1024};
    Site site;
    device.restart();
    for (int i = 0; i < 100; ++i)
        device.measure(ReadingKind::telemetry, 1);
    for (int i = 0; i < 5; ++i)
        device.outbox->tend(true, device.now_ms);
    EXPECT_EQ(device.outbox->in_ram(), 0U);
    device.restart();
    device.talk(site);
    EXPECT_EQ(site.received[1].size(), 101U);
    EXPECT_TRUE(site.gaps.empty());
    EXPECT_EQ(site.received[2].size(), 1U);
}

TEST(Backlog, WhenFlashIsFullTelemetryGoesAndEveryAlarmStays) {
    Device device{16, 1024};
    Site site;
    device.restart();
    std::uint64_t edges = 0;
    for (int i = 0; i < 2'000; ++i) {
        const bool edge = i % 100 == 50;
        edges += edge ? 1 : 0;
        device.measure(edge ? ReadingKind::alarm_edge : ReadingKind::telemetry);
    }
    EXPECT_GT(device.outbox->shed_count(), 1'000U);
    device.talk(site);
    EXPECT_EQ(std::ranges::count(site.messages, "inference", &Sent::topic), edges);
    std::uint64_t lost = 0;
    for (std::uint64_t seq = 1; seq <= 2'001; ++seq) {
        if (site.received[1].contains(seq)) continue;
        ++lost;
        EXPECT_TRUE(site.declared({1, seq})) << seq;
    }
    EXPECT_EQ(lost, device.outbox->shed_count());
    EXPECT_EQ(site.passed_over, 0);
}

TEST(Backlog, OnHoldAlarmsGoFirstAndTelemetryOfAnOlderBootGivesWayToThem) {
    Device device{64, 1024};
    Site site;
    device.restart();
    for (int i = 0; i < 50; ++i)
        device.measure(ReadingKind::telemetry);
    device.measure(ReadingKind::alarm_edge);
    for (int i = 0; i < 50; ++i)
        device.measure(ReadingKind::telemetry);
    const auto hold = [&] {
        for (int i = 0; i < 50; ++i) {
            device.outbox->mark_stored(site.mark(), true);
            while (const auto sent = device.send())
                site.receive(*sent);
            device.outbox->tend(false, device.now_ms += 100);
        }
    };
    hold();
    EXPECT_EQ(std::ranges::count(site.messages, "data", &Sent::topic), 0);
    EXPECT_EQ(std::ranges::count(site.messages, "inference", &Sent::topic), 1);
    device.restart();
    device.measure(ReadingKind::alarm_edge);
    hold();
    EXPECT_EQ(std::ranges::count(site.messages, "inference", &Sent::topic), 2);
    EXPECT_GE(device.outbox->shed_count(), 90U) << "telemetry that kept the alarm waiting";
    device.talk(site);
    for (std::uint64_t seq = 1; seq <= 102; ++seq)
        EXPECT_TRUE(site.received[1].contains(seq) || site.declared({1, seq})) << seq;
    EXPECT_EQ(site.passed_over, 0);
}

// A sector of 4 KiB holds two hundred reserves: more than one call walks over.
TEST(Backlog, OfBootsThatAreStoredNothingIsSaidAgainHoweverMuchOfThemStillLiesInFlash) {
    Device device{16, 16'384};
    Site site;
    for (int boot = 0; boot < 10; ++boot) {
        device.restart();
        for (int i = 0; i < 1'000; ++i)
            device.measure(ReadingKind::telemetry);
        device.talk(site);
        for (int i = 0; i < 5; ++i)
            device.outbox->tend(true, device.now_ms);
    }
    device.restart();
    device.outbox->mark_stored(site.mark(), false);
    std::vector<Key> sent;
    for (int round = 0; round < 100; ++round) {
        while (const auto one = device.send())
            sent.push_back(one->key);
        device.outbox->tend(false, device.now_ms += 5'000);
    }
    ASSERT_FALSE(sent.empty());
    EXPECT_EQ(sent.front().boot, device.boot - 1);  // the mark's: it says no more of older ones
    EXPECT_EQ(sent.back(), (Key{device.boot, 1}));
    EXPECT_TRUE(std::ranges::is_sorted(sent));
}

TEST(Backlog, WhatAPowerCutToreOfOneBootIsNoGapOfTheNext) {
    std::size_t gaps = 0;
    for (std::size_t torn_bytes = 1; torn_bytes < 60; ++torn_bytes) {
        Device device{16, 1024};
        Site site;
        device.restart();
        for (int i = 0; i < 60; ++i)
            device.measure(ReadingKind::telemetry);
        device.flash.cut_power_at(device.flash.operations + torn_bytes % 7, torn_bytes);
        while (!device.flash.off)
            device.measure(torn_bytes % 2 == 0 ? ReadingKind::telemetry : ReadingKind::alarm_edge);
        const std::uint64_t before = device.outbox->seq_last();
        device.restart();
        for (int i = 0; i < 60; ++i)
            device.measure(ReadingKind::telemetry);
        const std::uint64_t last = device.outbox->seq_last();
        device.talk(site);
        EXPECT_EQ(site.received[2].size(), last) << torn_bytes;
        for (const auto& [boot, gap] : site.gaps)
            EXPECT_EQ(boot, 1U) << torn_bytes << ": " << gap.from << " to " << gap.to;
        gaps += site.gaps.size();
        for (std::uint64_t seq = 1; seq <= before; ++seq)
            EXPECT_TRUE(site.received[1].contains(seq) || site.declared({1, seq}))
                << torn_bytes << ": " << seq;
    }
    EXPECT_GE(gaps, 59U) << "each cut tears something of the first boot";
}

// A site that has lost its own memory takes what it hears first for the begin of a boot.
TEST(Backlog, WhatAMarkCoversThoughItWasNeverSentIsDeclaredWhenItGoes) {
    Device device{16, 1024};
    device.restart();
    Site site;
    while (const auto sent = device.send())
        site.receive(*sent);
    device.outbox->mark_stored(site.mark(), true);
    site = {};
    for (int i = 0; i < 50; ++i)
        device.measure(ReadingKind::telemetry);
    device.measure(ReadingKind::alarm_edge);
    while (const auto sent = device.send())
        site.receive(*sent);
    device.outbox->mark_stored(site.mark(), true);
    ASSERT_GT(site.mark().seq, 50U);
    for (int i = 0; i < 2'000; ++i)
        device.measure(ReadingKind::telemetry);
    device.talk(site);
    int declared = 0;
    for (std::uint64_t seq = 2; seq <= 51; ++seq) {
        EXPECT_TRUE(site.received[1].contains(seq) || site.declared({1, seq})) << seq;
        declared += site.received[1].contains(seq) ? 0 : 1;
    }
    EXPECT_GT(declared, 0);
}

TEST(Backlog, ABrokerThatGivesNoMarksIsServedByItsAcknowledgements) {
    Device device{64, 1024};
    device.restart();
    for (int i = 0; i < 100; ++i)
        device.measure(ReadingKind::telemetry);
    device.restart();
    std::vector<Key> sent;
    for (int round = 0; round < 50; ++round) {
        while (const auto one = device.send()) {
            sent.push_back(one->key);
            device.outbox->forget(one->key);
        }
        device.outbox->mark_landed({sent.back().boot, sent.back().seq + 1});
        device.outbox->tend(false, device.now_ms += 100);
    }
    EXPECT_TRUE(std::ranges::is_sorted(sent));
    EXPECT_GT(sent.size(), 90U);
    EXPECT_EQ(sent.back(), (Key{2, 1}));
    EXPECT_EQ(device.outbox->waiting(), 0U);
}

// Random legal operations, connections that break with messages under way, power cuts before and
// inside flash operations, restarts: whatever happens, every number of every boot is there or
// declared, and no more is lost than lay in RAM or was shed.
TEST(Backlog, NothingIsLostThatItCouldHoldAndEveryGapIsDeclared) {
    const bool is_long = std::getenv("STATOR_LONG") != nullptr;
    int cuts = 0;
    unsigned whole_runs = 0;
    std::uint64_t lost_all = 0;
    std::uint64_t said_all = 0;
    for (unsigned seed = 0; seed < (is_long ? 1'000U : 30U); ++seed) {
        std::mt19937 random{seed};
        const std::size_t sectors = 64 + random() % 80;
        Device device = seed % 2 == 0 ? Device{sectors, 1024} : Device{sectors / 4, 4096};
        Site site;
        std::map<std::uint32_t, std::uint64_t> last_of;
        std::deque<Sent> pipe;
        bool connected = false;
        bool hold = false;
        std::uint64_t ram_lost = 0;
        device.restart();
        const auto restart = [&] {
            last_of[device.boot] = device.outbox->seq_last();
            ram_lost += device.outbox->in_ram();
            cuts += device.flash.off ? 1 : 0;
            pipe.clear();
            connected = hold = false;
            device.restart();
        };
        for (int i = 0; i < 1'500; ++i) {
            const auto dice = random() % 100;
            if (dice < 45) {
                const auto kind = random() % 12 < 10 ? 0 : 1 + random() % 2;
                device.measure(
                    static_cast<ReadingKind>(kind), static_cast<std::uint8_t>(random() % 3)
                );
            } else if (dice < 47) {
                device.outbox->push(wire::SensorEvent{}, 3);
            } else if (dice < 67 && connected) {
                if (auto sent = device.send()) pipe.push_back(*sent);
            } else if (dice < 80 && !pipe.empty()) {
                site.receive(pipe.front());
                pipe.pop_front();
            } else if (dice < 86 && connected) {
                if (random() % 10 == 0) hold = !hold;
                device.outbox->mark_stored(site.mark(), hold);
            } else if (dice < 88) {
                connected = random() % 3 != 0;
                pipe.clear();
                device.outbox->connection_lost();
                if (connected) device.outbox->mark_stored(site.mark(), hold);
            } else if (dice < 89) {
                device.flash.cut_power_at(device.flash.operations + random() % 4, random() % 80);
            } else if (dice == 99 && random() % 3 == 0) {
                if (random() % 2 == 0)
                    for (int k = 0; k < 4; ++k)
                        device.outbox->tend(true, device.now_ms);
                restart();
            } else {
                device.outbox->tend(false, device.now_ms += 100);
                if (connected) static_cast<void>(device.outbox->declare_gap(0, i * 100, 1'000));
            }
            if (device.flash.off) restart();
        }
        device.flash.restart();  // a cut that is still to come would find nobody to restart it
        device.talk(site);
        last_of[device.boot] = device.outbox->seq_last();
        // The limit: an urgent log that overflows, of one unlucky restart after the other.
        if (device.ends_lost + device.backlog->ends_lost() != 0) continue;
        ++whole_runs;
        ASSERT_EQ(device.outbox->waiting(), 0U) << seed;
        std::uint64_t lost = 0;
        for (const auto& [boot, last] : last_of) {
            for (std::uint64_t seq = 1; seq <= last; ++seq) {
                ++said_all;
                if (site.received[boot].contains(seq)) continue;
                ++lost;
                ASSERT_TRUE(site.declared({boot, seq})) << seed << ' ' << boot << ' ' << seq;
            }
        }
        lost_all += lost;
        ASSERT_LE(lost, ram_lost + device.shed_before + device.outbox->shed_count()) << seed;
        ASSERT_EQ(site.passed_over, 0) << seed;
        ASSERT_NO_FATAL_FAILURE(device.expect_as_measured(site)) << seed;
    }
    EXPECT_GT(cuts, 50);
    EXPECT_GT(said_all, 10'000U);
    EXPECT_GT(lost_all, 100U) << "or no gap had to be declared";
    EXPECT_GT(whole_runs, 15U);
    RecordProperty("whole_runs", std::to_string(whole_runs));
    RecordProperty("said", std::to_string(said_all));
    RecordProperty("lost", std::to_string(lost_all));
    RecordProperty("cuts", cuts);
}

TEST(Backlog, ADamagedRegionNeitherStopsTheDeviceNorIsSilent) {
    int whole = 0;  // runs that say what became of every number
    for (unsigned seed = 0; seed < 200; ++seed) {
        std::mt19937 random{seed};
        Device device{16, 1024};
        Site site;
        device.restart();
        for (int i = 0; i < 150; ++i)
            device.measure(random() % 20 == 0 ? ReadingKind::alarm_edge : ReadingKind::telemetry);
        const std::uint64_t last = device.outbox->seq_last();
        device.restart();
        for (unsigned k = 0; k <= random() % 6; ++k)
            device.flash.bytes[random() % device.flash.bytes.size()] ^=
                static_cast<std::byte>(1 + random() % 255);
        device.restart();
        device.talk(site);
        for (const Sent& sent : site.messages) {
            ASSERT_LE(sent.key.boot, 3U);
        }
        ASSERT_NO_FATAL_FAILURE(device.expect_as_measured(site)) << seed;
        // Silent is at most the boot's end, where what says it is itself lost: never a hole.
        std::uint64_t told = last;
        const auto is_told = [&](std::uint64_t seq) {
            return site.received[1].contains(seq) || site.declared({1, seq});
        };
        while (told > 0 && !is_told(told))
            --told;
        for (std::uint64_t seq = 1; seq <= told; ++seq)
            ASSERT_TRUE(is_told(seq)) << seed << ' ' << seq << " of " << told;
        whole += told == last ? 1 : 0;
        EXPECT_EQ(site.passed_over, 0) << seed;
    }
    EXPECT_GT(whole, 100);
}

TEST(Backlog, AFlashOfAnotherLifeIsNotSent) {
    Device device{16, 1024};
    device.boot = 10;
    device.restart();
    for (int i = 0; i < 50; ++i)
        device.measure(ReadingKind::telemetry);
    device.boot = 0;  // the count of boots began anew
    device.restart();
    Site site;
    device.talk(site);
    EXPECT_EQ(site.received.size(), 1U);
    EXPECT_EQ(site.received[1].size(), 1U);
}

}  // namespace
}  // namespace stator::node
