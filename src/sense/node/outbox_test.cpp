#include "sense/node/outbox.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <vector>

namespace stator::node {
namespace {

struct Box {
    explicit Box(std::size_t readings_max = 8, std::size_t events_max = 4)
        : readings(readings_max), events(events_max) {}

    std::vector<WaitingReading> readings;
    std::vector<WaitingDeviceEvent> events;
    Outbox outbox{readings, events};

    std::vector<std::uint64_t> send_all() {
        std::vector<std::uint64_t> sent;
        while (const auto item = outbox.next()) {
            sent.push_back(item->key.seq);
            outbox.mark_sent(item->key);
        }
        return sent;
    }
};

Reading reading(ReadingKind kind = ReadingKind::telemetry) {
    Reading made;
    made.kind = kind;
    return made;
}

using Seqs = std::vector<std::uint64_t>;

TEST(Outbox, ReadingsAndEventsLeaveInTheOrderTheyCame) {
    Box box;
    box.outbox.push(wire::StartedEvent{}, 1);
    box.outbox.push(reading());
    box.outbox.push(wire::SensorEvent{}, 2);
    box.outbox.push(reading());
    EXPECT_EQ(box.send_all(), (Seqs{1, 2, 3, 4}));
    EXPECT_EQ(box.outbox.seq_last(), 4U);
}

TEST(Outbox, WhatIsNotStoredGoesAgainAfterALostConnectionAndWhatIsStoredDoesNot) {
    Box box;
    for (int i = 0; i < 5; ++i)
        box.outbox.push(reading());
    EXPECT_EQ(box.send_all().size(), 5U);
    box.outbox.mark_stored({1, 2}, false);
    EXPECT_EQ(box.outbox.waiting(), 3U);
    box.outbox.connection_lost();
    EXPECT_EQ(box.send_all(), (Seqs{3, 4, 5}));
    box.outbox.connection_lost();
    box.outbox.mark_stored({1, 4}, false);  // the mark comes first after a reconnect
    EXPECT_EQ(box.send_all(), (Seqs{5}));
    box.outbox.mark_stored({1, 5}, false);
    EXPECT_EQ(box.outbox.waiting(), 0U);
}

TEST(Outbox, AMarkNeverTakesWhatWasNeverSent) {
    Box box;
    for (int i = 0; i < 3; ++i)
        box.outbox.push(reading());
    box.outbox.mark_stored({1, 3}, false);
    EXPECT_EQ(box.outbox.waiting(), 3U);
}

TEST(Outbox, WhenFullTheOldestTelemetryGoesThenRepeatsAndTheEdgesOfAnAlarmStay) {
    Box box{4};
    box.outbox.push(reading(ReadingKind::alarm_edge));    // 1
    box.outbox.push(reading());                           // 2
    box.outbox.push(reading(ReadingKind::alarm_repeat));  // 3
    box.outbox.push(reading());                           // 4
    box.outbox.push(reading());                           // 5 sheds 2
    EXPECT_EQ(box.send_all(), (Seqs{1, 3, 4, 5}));
    box.outbox.push(reading(ReadingKind::alarm_edge));  // 6 sheds 4
    box.outbox.push(reading(ReadingKind::alarm_edge));  // 7 sheds 5
    box.outbox.push(reading(ReadingKind::alarm_edge));  // 8 sheds 3
    box.outbox.push(reading());                         // 9 is shed itself
    box.outbox.connection_lost();
    EXPECT_EQ(box.send_all(), (Seqs{1, 6, 7, 8}));
    EXPECT_EQ(box.outbox.shed_count(), 5U);
}

TEST(Outbox, WhatWasShedIsDeclaredOnceWithItsRange) {
    Box box{4};
    for (int i = 0; i < 7; ++i)
        box.outbox.push(reading());                          // 1, 2, 3 are shed
    EXPECT_FALSE(box.outbox.declare_gap(0, 5'000, 10'000));  // still full: not yet
    EXPECT_EQ(box.send_all(), (Seqs{4, 5, 6, 7}));
    box.outbox.mark_stored({1, 5}, false);
    ASSERT_TRUE(box.outbox.declare_gap(77, 5'000, 10'000));
    const auto item = box.outbox.next();
    ASSERT_TRUE(item && item->event != nullptr);
    const auto* gap = std::get_if<wire::GapEvent>(&item->event->body);
    ASSERT_NE(gap, nullptr);
    EXPECT_EQ(gap->from, 1U);
    EXPECT_EQ(gap->to, 3U);
    EXPECT_EQ(item->event->time_unix_ms, 77);
    EXPECT_FALSE(box.outbox.declare_gap(78, 50'000, 10'000));
}

TEST(Outbox, AGapIsDeclaredInTimeAlsoWhileTheRingStaysFull) {
    Box box{4};
    for (int i = 0; i < 7; ++i)
        box.outbox.push(reading());
    EXPECT_FALSE(box.outbox.declare_gap(0, 9'999, 10'000));
    EXPECT_TRUE(box.outbox.declare_gap(0, 10'000, 10'000));
}

TEST(Outbox, OnHoldOnlyAlarmsAndEventsGoAndTelemetryFollowsAfterwards) {
    Box box;
    box.outbox.mark_stored({1, 0}, true);
    box.outbox.push(reading());
    box.outbox.push(reading(ReadingKind::alarm_edge));
    box.outbox.push(wire::SensorEvent{}, 0);
    box.outbox.push(reading());
    EXPECT_EQ(box.send_all(), (Seqs{2, 3}));
    box.outbox.mark_stored({1, 3}, false);  // covers 1, which was never sent
    EXPECT_EQ(box.send_all(), (Seqs{1, 4}));
}

Frame frame(wire::WaveformCause cause = wire::WaveformCause::interval) {
    Frame made;
    made.cause = cause;
    return made;
}

TEST(Outbox, AFrameLeavesInItsTurnAndOneWaitsAtATime) {
    Box box;
    box.outbox.push(reading());
    EXPECT_TRUE(box.outbox.push(frame()));
    EXPECT_FALSE(box.outbox.push(frame()));
    box.outbox.push(reading());
    EXPECT_EQ(box.send_all(), (Seqs{1, 2, 3}));
    EXPECT_FALSE(box.outbox.make_frame_room(wire::WaveformCause::alarm));  // the site may have it
    box.outbox.connection_lost();
    EXPECT_EQ(box.send_all(), (Seqs{1, 2, 3}));
    box.outbox.mark_stored({1, 2}, false);
    EXPECT_FALSE(box.outbox.frame_waits());
    EXPECT_TRUE(box.outbox.push(frame()));
    box.outbox.give_up({1, 4});  // the site refuses it
    EXPECT_FALSE(box.outbox.frame_waits());
    EXPECT_EQ(box.outbox.shed_count(), 1U);
}

TEST(Outbox, AFrameGivesWayToOneOfMoreWorthAndNoOther) {
    Box box;
    EXPECT_TRUE(box.outbox.push(frame(wire::WaveformCause::order)));
    EXPECT_FALSE(box.outbox.make_frame_room(wire::WaveformCause::interval));
    EXPECT_FALSE(box.outbox.make_frame_room(wire::WaveformCause::order));
    EXPECT_TRUE(box.outbox.make_frame_room(wire::WaveformCause::alarm));
    EXPECT_TRUE(box.outbox.push(frame(wire::WaveformCause::alarm)));
    EXPECT_EQ(box.send_all(), (Seqs{2}));
    EXPECT_TRUE(box.outbox.declare_gap(0, 1'000, 10'000));
    EXPECT_EQ(box.outbox.frames_shed_count(), 1U);
}

TEST(Outbox, AFrameIsTheFirstToGoBeforeARingIsFullOnHoldAndWhenTheDeviceLeaves) {
    Box full{8};
    EXPECT_TRUE(full.outbox.push(frame()));
    for (int i = 0; i < 7; ++i)
        full.outbox.push(reading());
    EXPECT_TRUE(full.outbox.frame_waits());
    full.outbox.push(reading());  // the ring is crowded, and full with this one
    EXPECT_FALSE(full.outbox.frame_waits());
    EXPECT_EQ(full.outbox.shed_count(), 1U);
    EXPECT_FALSE(full.outbox.push(frame()));
    EXPECT_EQ(full.outbox.seq_last(), 9U);  // what is not taken has no number

    Box held;
    EXPECT_TRUE(held.outbox.push(frame()));
    held.outbox.push(reading(ReadingKind::alarm_edge));
    held.outbox.mark_stored({1, 0}, true);
    EXPECT_EQ(held.send_all(), (Seqs{2}));
    held.outbox.tend(false, 0);
    EXPECT_EQ(held.outbox.frames_shed_count(), 1U);
    EXPECT_FALSE(held.outbox.push(frame()));

    Box leaving;
    EXPECT_TRUE(leaving.outbox.push(frame()));
    EXPECT_EQ(leaving.send_all(), (Seqs{1}));
    leaving.outbox.tend(true, 0);  // it was not stored, and there is nowhere to keep it
    EXPECT_EQ(leaving.outbox.in_ram(), 0U);
    EXPECT_EQ(leaving.outbox.frames_shed_count(), 1U);
}

// Random legal operations against a site that keeps what it got: whatever happens, every seq is
// there or inside a declared gap, order is kept within a connection, and nothing is shed while a
// frame waits that could go instead.
TEST(Outbox, NothingIsMissingThatWasNotDeclared) {
    std::mt19937 random{11};
    int frames = 0;
    int frames_shed = 0;
    int frames_first = 0;  // a reading went with the same push that let a frame go
    for (int run = 0; run < 200; ++run) {
        Box box{2 + random() % 12, 3 + random() % 4};
        std::set<std::uint64_t> received;
        std::vector<std::pair<std::uint64_t, std::uint64_t>> gaps;
        std::uint64_t last_sent = 0;
        std::int64_t now_ms = 0;
        const auto others_shed = [&] {
            return box.outbox.shed_count() - box.outbox.frames_shed_count();
        };
        const auto send = [&] {
            const auto item = box.outbox.next();
            if (!item) return false;
            received.insert(item->key.seq);
            if (item->event != nullptr)
                if (const auto* gap = std::get_if<wire::GapEvent>(&item->event->body))
                    gaps.emplace_back(gap->from, gap->to);
            if (!box.outbox.hold()) {
                EXPECT_GT(item->key.seq, last_sent);
                last_sent = item->key.seq;
            }
            box.outbox.mark_sent(item->key);
            return true;
        };
        const auto mark = [&](bool hold) {
            std::uint64_t contiguous = 0;
            while (received.contains(contiguous + 1))
                ++contiguous;
            box.outbox.mark_stored({1, contiguous}, hold);
            last_sent = 0;  // a hold that ends lets older ones follow
        };
        for (int i = 0; i < 400; ++i, now_ms += 100) {
            const auto dice = random() % 11;
            const bool frame_waited = box.outbox.frame_waits();
            const std::uint64_t shed_before = others_shed();
            if (dice < 4)
                box.outbox.push(reading(static_cast<ReadingKind>(random() % 3)));
            else if (dice == 4 && random() % 4 == 0)
                box.outbox.push(wire::SensorEvent{}, 0);
            else if (dice < 8)
                static_cast<void>(send());
            else if (dice == 8)
                mark(random() % 4 == 0);
            else if (dice == 9) {
                const auto cause = static_cast<wire::WaveformCause>(random() % 3);
                if (box.outbox.make_frame_room(cause)) frames += box.outbox.push(frame(cause));
            } else if (random() % 3 == 0) {
                box.outbox.connection_lost();
                last_sent = 0;
            }
            static_cast<void>(box.outbox.declare_gap(0, now_ms, 1'000));
            if (random() % 2 == 0) box.outbox.tend(false, now_ms);
            if (others_shed() != shed_before) {
                ASSERT_FALSE(box.outbox.frame_waits());
                frames_first += frame_waited ? 1 : 0;
            }
        }
        frames_shed += static_cast<int>(box.outbox.frames_shed_count());
        for (int round = 0; round < 3; ++round) {
            mark(false);
            while (send()) {
            }
            box.outbox.mark_stored({1, box.outbox.seq_last()}, false);
            static_cast<void>(box.outbox.declare_gap(0, now_ms += 10'000, 1'000));
        }
        for (std::uint64_t seq = 1; seq <= box.outbox.seq_last(); ++seq) {
            const bool declared = std::ranges::any_of(gaps, [&](const auto& gap) {
                return gap.first <= seq && seq <= gap.second;
            });
            ASSERT_TRUE(received.contains(seq) || declared) << run << ' ' << seq;
        }
    }
    EXPECT_GT(frames, 250);
    EXPECT_GT(frames_shed, 100);
    EXPECT_LT(frames_shed, frames);
    EXPECT_GT(frames_first, 0);
}

}  // namespace
}  // namespace stator::node
