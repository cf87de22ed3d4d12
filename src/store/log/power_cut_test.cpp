// Power cuts before every operation of a workload that appends, rolls, syncs, retires and commits.
#include "store/log/reader.h"
#include "store/log/writer.h"
#include "world/clock/virtual.h"
#include "world/disk/simulated.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>

namespace stator::log {
namespace {

// What the workload knows for sure when the power goes.
struct Known {
    std::map<std::string, Mark> promised;           // synced marks that were handed out
    std::map<std::uint64_t, std::string> appended;  // seq of "pump" -> payload, of all accepted
    std::map<std::uint64_t, Class> in_class;
    std::set<std::uint64_t> committed;      // seqs below the reader's durable place
    std::map<std::uint64_t, Offset> taken;  // seq -> the offset after it
};

// Each record written by itself, or telemetry gathered: 600 bytes hold two of them.
enum class Way : std::uint8_t { one_by_one, gathered };

Budgets small_budgets(Way way) {
    Budgets budgets;
    budgets.waveform = {8192, 2048, false};
    budgets.telemetry = {8192, 2048, false, way == Way::gathered ? 600U : 0U};
    budgets.alarm = {8192, 2048, true};
    budgets.control = {8192, 2048, true};
    return budgets;
}

std::uint64_t seq_of(std::string_view payload) {
    return std::stoull(std::string{payload.substr(0, payload.find(' '))});
}

// Stops silently at the first failure: the power is off.
void work(disk::SimulatedDisk& disk, clock::VirtualClock& clock, Known& known, Way way) {
    auto writer = Writer::open(disk, clock, "/log", small_budgets(way));
    if (!writer) return;
    auto reader = Reader::open(disk, "/log", Class::telemetry, {"ingest", true, false});
    if (!reader) return;
    std::optional<RetirePlan> retirement;
    Outcome<void> retired;
    for (std::uint64_t seq = 1; seq <= 70; ++seq) {
        clock.wait_us(1000);
        const Class c = seq % 5 == 0 ? Class::alarm : Class::telemetry;
        for (const auto& [taken, next] : known.taken)
            if (next <= (*reader)->committed()) known.committed.insert(taken);
        const std::string payload = fmt::format("{} {}", seq, std::string(100 + seq % 90, 'x'));
        RecordView record;
        record.receive_unix_ms = clock.unix_ms();
        record.topic = "t";
        record.sender = "pump";
        record.payload = payload;
        if (!(*writer)->append(c, record, Mark{1, seq})) return;
        known.appended[seq] = payload;
        known.in_class[seq] = c;
        if (seq % 7 == 0) {
            if (!(*writer)->sync()) return;
            known.promised["pump"] = *(*writer)->synced_mark("pump");
        }
        if (seq % 9 == 0) {
            if (!(*writer)->hand_over()) return;
            auto records = (*reader)->take(8);
            if (!records) return;
            for (const Record& r : *records)
                known.taken[seq_of(r.payload)] = r.next;
            if (!records->empty() && !(*reader)->commit(records->back().next)) return;
        }
        if (seq % 20 == 0 && !(*writer)->retire()) return;
        // As on another thread, with appends and syncs between its parts.
        if (seq % 20 == 10) {
            auto begun = (*writer)->begin_retire();
            if (!begun) return;
            retirement = std::move(*begun);
        }
        if (seq % 20 == 12 && retirement) retired = retirement->run(disk);
        if (seq % 20 == 16 && retirement && !(*writer)->finish_retire(*retirement, retired)) return;
    }
}

// Everything that can be read of a class from its oldest segment on, and where it lies.
std::map<std::uint64_t, Offset> read_all(disk::Disk& disk, Class c, const Known& known) {
    std::map<std::uint64_t, Offset> seen;
    auto reader = Reader::open(disk, "/log", c, {});
    EXPECT_TRUE(reader);
    for (;;) {
        auto item = (*reader)->next();
        EXPECT_TRUE(item) << item.error().what;
        if (!item || !*item) return seen;
        const std::uint64_t seq = seq_of((*item)->record.payload);
        const auto sent = known.appended.find(seq);
        if (sent != known.appended.end()) {
            EXPECT_EQ((*item)->record.payload, sent->second);
        }
        EXPECT_TRUE(seen.emplace(seq, (*item)->offset).second) << "twice: " << seq;
    }
}

void check(disk::SimulatedDisk& disk, clock::VirtualClock& clock, const Known& known, Way way) {
    auto writer = Writer::open(disk, clock, "/log", small_budgets(way));
    ASSERT_TRUE(writer) << writer.error().what;
    std::string notes;
    for (const std::string& note : (*writer)->repair_report().notes)
        notes += note + "; ";
    SCOPED_TRACE(notes);
    const auto restored = (*writer)->synced_mark("pump");
    Mark promised;
    if (const auto found = known.promised.find("pump"); found != known.promised.end()) {
        promised = found->second;
        ASSERT_TRUE(restored);
        EXPECT_GE(*restored, promised);
    }
    const auto telemetry = read_all(disk, Class::telemetry, known);
    const auto alarm = read_all(disk, Class::alarm, known);
    // What came back as stored is stored: the device forgets everything up to there.
    const std::uint64_t stored = restored ? restored->seq : 0;
    for (std::uint64_t seq = 1; seq <= stored; ++seq) {
        if (seq % 5 == 0) {
            EXPECT_TRUE(alarm.contains(seq)) << "alarm " << seq << " of stored " << stored;
        } else if (!known.committed.contains(seq)) {
            EXPECT_TRUE(telemetry.contains(seq)) << seq << " of stored " << stored;
        }
    }
    // A reader goes on where it committed, and is given everything that is left.
    auto reader = Reader::open(disk, "/log", Class::telemetry, {"ingest", true, false});
    ASSERT_TRUE(reader) << reader.error().what;
    const Offset committed = (*reader)->committed();
    auto rest = (*reader)->take(1000);
    ASSERT_TRUE(rest) << rest.error().what;
    std::set<std::uint64_t> got;
    for (const Record& r : *rest)
        got.insert(seq_of(r.payload));
    for (const auto& [seq, offset] : telemetry) {
        if (known.taken.contains(seq) && offset.position < committed.position) continue;
        EXPECT_TRUE(got.contains(seq)) << "not given: " << seq;
    }
    for (const std::uint64_t seq : known.committed)
        EXPECT_FALSE(got.contains(seq)) << "given again: " << seq;
    EXPECT_EQ((*reader)->missed_bytes(), 0U);
    // And the log goes on.
    RecordView record;
    record.sender = "pump";
    record.payload = "100000 after";
    for (const Class c : {Class::telemetry, Class::alarm})
        ASSERT_TRUE((*writer)->append(c, record, Mark{2, 1}));
    ASSERT_TRUE((*writer)->sync());
    EXPECT_EQ((*writer)->synced_mark("pump"), (Mark{2, 1}));
    auto last = (*reader)->take(10);
    ASSERT_TRUE(last) << last.error().what;
    ASSERT_EQ(last->size(), 1U);
    EXPECT_EQ((*last)[0].payload, "100000 after");
}

class PowerCut : public testing::TestWithParam<Way> {};

INSTANTIATE_TEST_SUITE_P(
    Ways,
    PowerCut,
    testing::Values(Way::one_by_one, Way::gathered),
    [](const auto& way) { return way.param == Way::gathered ? "gathered" : "one_by_one"; }
);

TEST_P(PowerCut, BeforeAnyOperationLosesNothingThatWasMarkedStored) {
    disk::SimulatedDisk whole{1};
    clock::VirtualClock clock{1'700'000'000'000};
    Known all;
    work(whole, clock, all, GetParam());
    ASSERT_EQ(all.appended.size(), 70U);
    const std::uint64_t operations = whole.operations();
    ASSERT_GT(operations, 150U);
    std::uint64_t cuts = 0;
    for (std::uint64_t at = 0; at < operations; ++at) {
        for (const disk::Survival survival :
             {disk::Survival::none,
              disk::Survival::all,
              disk::Survival::random,
              disk::Survival::random,
              disk::Survival::random}) {
            SCOPED_TRACE(fmt::format("cut before {} ({})", at, cuts));
            disk::SimulatedDisk disk{cuts++};
            clock::VirtualClock now{1'700'000'000'000};
            Known known;
            disk.cut_power_before(at);
            work(disk, now, known, GetParam());
            ASSERT_TRUE(disk.power_is_off());
            disk.restart(survival);
            check(disk, now, known, GetParam());
            if (HasFatalFailure() || HasNonfatalFailure()) return;
        }
    }
    fmt::print("{} operations, {} power cuts\n", operations, cuts);
}

// The repair itself is cut, too, and what it leaves is repaired.
TEST_P(PowerCut, InTheMiddleOfARepairIsRepaired) {
    std::uint64_t cuts = 0;
    for (std::uint64_t seed = 0; seed < 12; ++seed) {
        for (std::uint64_t at = 0; at < 60; ++at) {
            disk::SimulatedDisk disk{seed};
            clock::VirtualClock clock{1'700'000'000'000};
            Known known;
            disk.cut_power_before(50 + seed * 12);
            work(disk, clock, known, GetParam());
            ASSERT_TRUE(disk.power_is_off());
            disk.restart(disk::Survival::random);
            disk.cut_power_before(disk.operations() + at);
            const bool opened =
                Writer::open(disk, clock, "/log", small_budgets(GetParam())).has_value();
            if (opened) break;
            disk.restart(disk::Survival::random);
            ++cuts;
            SCOPED_TRACE(fmt::format("seed {} cut {}", seed, at));
            check(disk, clock, known, GetParam());
            if (HasFatalFailure() || HasNonfatalFailure()) return;
        }
    }
    EXPECT_GT(cuts, 50U);
    fmt::print("{} power cuts within a repair\n", cuts);
}

}  // namespace
}  // namespace stator::log
