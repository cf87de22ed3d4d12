#include "store/log/reader.h"
#include "store/log/segments.h"
#include "store/log/writer.h"
#include "world/clock/real.h"
#include "world/clock/virtual.h"
#include "world/disk/posix.h"
#include "world/disk/simulated.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <unistd.h>

#include <filesystem>

namespace stator::log {
namespace {

Budgets tiny() {
    Budgets budgets;
    budgets.waveform = {65536, 8192, false};
    budgets.telemetry = {65536, 8192, false};
    budgets.alarm = {32768, 8192, true};
    budgets.control = {32768, 8192, true};
    return budgets;
}

RecordView message(std::string_view payload) {
    RecordView record;
    record.receive_unix_ms = 1'700'000'000'000;
    record.topic = "t";
    record.sender = "pump";
    record.payload = payload;
    return record;
}

class LogTest : public testing::Test {
  public:
    disk::SimulatedDisk disk;
    clock::VirtualClock clock{1'700'000'000'000};

    std::unique_ptr<Writer> writer(const Budgets& budgets = tiny()) {
        auto opened = Writer::open(disk, clock, "/log", budgets);
        EXPECT_TRUE(opened) << opened.error().what;
        return std::move(*opened);
    }

    std::unique_ptr<Reader> reader(Class c, const ReadFrom& from) {
        auto opened = Reader::open(disk, "/log", c, from);
        EXPECT_TRUE(opened) << opened.error().what;
        return std::move(*opened);
    }
};

TEST_F(LogTest, GivesBackWhatWasAppended) {
    const auto w = writer();
    ASSERT_TRUE(w->append(Class::telemetry, message("one"), Mark{3, 7}));
    const auto r = reader(Class::telemetry, {"ingest", false, false});
    const auto records = r->take(10);
    ASSERT_TRUE(records);
    ASSERT_EQ(records->size(), 1U);
    EXPECT_EQ((*records)[0].payload, "one");
    EXPECT_EQ((*records)[0].sender, "pump");
    EXPECT_FALSE(w->synced_mark("pump"));
    ASSERT_TRUE(w->sync());
    EXPECT_EQ(w->synced_mark("pump"), (Mark{3, 7}));
}

TEST_F(LogTest, ASecondWriterIsSentAwayByName) {
    const auto w = writer();
    const auto second = Writer::open(disk, clock, "/log", tiny());
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().fault, base::Fault::again);
    EXPECT_NE(second.error().what.find("/log"), std::string::npos);
}

TEST_F(LogTest, ACommitNeverPassesWhatIsSynced) {
    const auto w = writer();
    ASSERT_TRUE(w->append(Class::telemetry, message("one")));
    const auto r = reader(Class::telemetry, {"ingest", true, false});
    const auto records = r->take(1);
    ASSERT_TRUE(records);
    ASSERT_TRUE(r->commit((*records)[0].next));
    EXPECT_LT(r->committed(), (*records)[0].next);
    ASSERT_TRUE(w->sync());
    ASSERT_TRUE(r->take(1));
    EXPECT_EQ(r->committed(), (*records)[0].next);
}

TEST_F(LogTest, WhatARequiredReaderHasNotReadIsNeverDeleted) {
    const auto w = writer();
    const auto r = reader(Class::telemetry, {"ingest", true, false});
    const std::string payload(500, 'x');
    std::size_t accepted = 0;
    base::Fault fault{};
    for (int i = 0; i < 1000; ++i) {
        const auto done = w->append(Class::telemetry, message(payload));
        if (!done) {
            fault = done.error().fault;
            EXPECT_NE(done.error().what.find("ingest"), std::string::npos);
            break;
        }
        ++accepted;
        ASSERT_TRUE(w->sync());
    }
    EXPECT_EQ(fault, base::Fault::full);
    EXPECT_TRUE(w->hold(Class::telemetry));
    EXPECT_TRUE(w->append(Class::alarm, message("alarm")));
    const auto records = r->take(5000);
    ASSERT_TRUE(records);
    EXPECT_EQ(records->size(), accepted);
    ASSERT_TRUE(r->commit(records->back().next));
    clock.wait_us(1'000'000);
    ASSERT_TRUE(w->retire());
    EXPECT_FALSE(w->hold(Class::telemetry));
    EXPECT_TRUE(w->append(Class::telemetry, message(payload)));
}

TEST_F(LogTest, AnOptionalReaderIsToldWhatItMissed) {
    const auto w = writer();
    const auto r = reader(Class::telemetry, {"chart", false, false});
    const std::string payload(500, 'x');
    for (int i = 0; i < 300; ++i) {
        ASSERT_TRUE(w->append(Class::telemetry, message(payload)));
        ASSERT_TRUE(w->sync());
    }
    std::size_t bytes = 0;
    const auto records = r->take(1000);
    ASSERT_TRUE(records);
    for (const Record& record : *records)
        bytes += record.next.position - record.offset.position;
    const std::uint64_t missed = r->missed_bytes();
    EXPECT_GT(missed, 0U);
    const auto listing = list_segments(disk, "/log/telemetry");
    ASSERT_TRUE(listing);
    std::uint64_t headers = 0;
    for (const Segment& segment : listing->segments)
        headers += segment.first_record() - segment.header.base;
    EXPECT_EQ(missed + bytes + headers, w->end(Class::telemetry).position);
}

TEST_F(LogTest, AFullDiskStopsDataButNotAlarms) {
    const auto w = writer();
    const auto r = reader(Class::telemetry, {"ingest", true, false});
    disk.set_capacity(90'000);
    const std::string payload(500, 'x');
    base::Fault fault{};
    for (int i = 0; i < 1000 && fault == base::Fault{}; ++i)
        if (const auto done = w->append(Class::telemetry, message(payload)); !done)
            fault = done.error().fault;
    EXPECT_EQ(fault, base::Fault::full);
    EXPECT_TRUE(w->hold(Class::telemetry));
    for (int i = 0; i < 60; ++i) {
        ASSERT_TRUE(w->append(Class::alarm, message(payload))) << i;
        ASSERT_TRUE(w->sync());
        ASSERT_TRUE(w->retire());
    }
    disk.set_capacity(disk::SimulatedDisk::never);
    ASSERT_TRUE(w->retire());
    EXPECT_FALSE(w->hold(Class::telemetry));
    EXPECT_TRUE(w->append(Class::telemetry, message(payload)));
}

TEST_F(LogTest, AFailedSyncMakesTheWriterTakeNothingMore) {
    const auto w = writer();
    ASSERT_TRUE(w->append(Class::telemetry, message("one"), Mark{1, 1}));
    disk.fail_syncs(true);
    EXPECT_FALSE(w->sync());
    disk.fail_syncs(false);
    EXPECT_FALSE(w->append(Class::telemetry, message("two")));
    EXPECT_FALSE(w->synced_mark("pump"));
}

// The child is killed at work; the reader sees all it had said was appended, and goes on with the
// writer that comes after.
TEST(LogProcesses, AKilledWriterLosesNothingThatItAppended) {
    const std::string root =
        (std::filesystem::temp_directory_path() / fmt::format("stator-log-{}", getpid())).string();
    std::filesystem::remove_all(root);
    disk::PosixDisk disk;
    clock::RealClock clock;
    auto* const appended = static_cast<std::atomic<std::uint64_t>*>(
        mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)
    );
    ASSERT_NE(appended, MAP_FAILED);
    auto reader = Reader::open(disk, root, Class::telemetry, {"ingest", true, false});
    ASSERT_TRUE(reader) << reader.error().what;
    std::uint64_t expected = 0;
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t before = appended->load();
        const pid_t child = fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            auto writer = Writer::open(disk, clock, root, Budgets{});
            if (!writer) _exit(1);
            for (std::uint64_t i = before;; ++i) {
                if (!(*writer)->append(Class::telemetry, message(fmt::format("{}", i)))) _exit(2);
                appended->store(i + 1);
            }
        }
        for (int i = 0; i < 5000 && appended->load() < before + 200; ++i)
            clock.wait_us(1000);
        kill(child, SIGKILL);
        int status = 0;
        waitpid(child, &status, 0);
        ASSERT_TRUE(WIFSIGNALED(status)) << "the writer left by itself: " << status;
        const std::uint64_t reported = appended->load();
        ASSERT_GE(reported, before + 200);
        for (;;) {
            auto records = (*reader)->take(1000);
            ASSERT_TRUE(records) << records.error().what;
            if (records->empty()) break;
            for (const Record& record : *records) {
                const std::uint64_t got = std::stoull(record.payload);
                // A record that was stored but not yet reported is sent again by the next child.
                ASSERT_TRUE(got == expected || got + 1 == expected) << got << ' ' << expected;
                expected = got + 1;
            }
        }
        ASSERT_GE(expected, reported);
    }
    munmap(appended, 4096);
    std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace stator::log
