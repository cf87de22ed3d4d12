#include "store/log/inspect.h"

#include "store/log/reader.h"
#include "store/log/verify.h"
#include "store/log/writer.h"
#include "world/clock/real.h"
#include "world/clock/virtual.h"
#include "world/disk/posix.h"
#include "world/disk/simulated.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <unistd.h>

#include <filesystem>

namespace stator::log {
namespace {

using testing::HasSubstr;

Budgets tiny() {
    Budgets budgets;
    budgets.waveform = {65536, 8192, false};
    budgets.telemetry = {524288, 131072, false};
    budgets.alarm = {32768, 8192, true};
    budgets.control = {32768, 8192, true};
    return budgets;
}

class InspectTest : public testing::Test {
  public:
    disk::SimulatedDisk disk;
    clock::VirtualClock clock{1'700'000'000'000};
    std::unique_ptr<Writer> writer = open();

    std::unique_ptr<Writer> open() {
        auto opened = Writer::open(disk, clock, "/log", tiny());
        EXPECT_TRUE(opened) << opened.error().what;
        return std::move(*opened);
    }

    void append(Class c, int records) {
        const std::string payload(200, 'x');
        for (int i = 0; i < records; ++i) {
            clock.wait_us(100'000);
            RecordView record;
            record.receive_unix_ms = clock.unix_ms();
            record.topic = "t";
            record.sender = "pump";
            record.payload = payload;
            ASSERT_TRUE(writer->append(c, record, Mark{1, ++seq}));
            if (i % 10 == 0) {
                ASSERT_TRUE(writer->sync());
            }
        }
        ASSERT_TRUE(writer->sync());
    }

    Verified verified() {
        auto seen = verify(disk, "/log");
        EXPECT_TRUE(seen) << seen.error().what;
        for (const Finding& finding : seen->findings)
            said += fmt::format("{} {} {}\n", finding.file, finding.offset, finding.what);
        return std::move(*seen);
    }

    std::uint64_t seq = 0;
    std::string said;
};

TEST_F(InspectTest, SaysWhatALogHoldsAndHowLongItLasts) {
    append(Class::telemetry, 900);
    auto reader = Reader::open(disk, "/log", Class::telemetry, {"ingest", true, false});
    ASSERT_TRUE(reader);
    const auto all = look_at(disk, "/log", clock.unix_ms());
    ASSERT_TRUE(all) << all.error().what;
    const Holding& telemetry = (*all)[1];
    EXPECT_EQ(telemetry.segments.size(), 2U);
    EXPECT_EQ(telemetry.end, writer->end(Class::telemetry));
    EXPECT_EQ(telemetry.synced, telemetry.end.position);
    EXPECT_EQ(telemetry.budget_bytes, 524288U);
    EXPECT_EQ(telemetry.pinned_by, "ingest");
    EXPECT_EQ(telemetry.pinned_bytes, telemetry.end.position);
    // 256 bytes a record, ten a second.
    ASSERT_TRUE(telemetry.bytes_per_s);
    EXPECT_NEAR(*telemetry.bytes_per_s, 2560, 40);
    ASSERT_TRUE(telemetry.autonomy_days);
    const double left = 524288.0 - static_cast<double>(telemetry.end.position);
    EXPECT_NEAR(*telemetry.autonomy_days, left / 2560 / 86400, 1e-4);
    const Holding& alarm = (*all)[2];
    EXPECT_EQ(alarm.segment_bytes + alarm.spare_bytes, 32768U);
    EXPECT_EQ(alarm.end, writer->end(Class::alarm));
}

TEST_F(InspectTest, SaysHowFarEachReaderIs) {
    auto required = Reader::open(disk, "/log", Class::telemetry, {"ingest", true, false});
    auto optional = Reader::open(disk, "/log", Class::telemetry, {"chart", false, false});
    append(Class::telemetry, 100);
    auto records = (*required)->take(30);
    ASSERT_TRUE(records);
    ASSERT_TRUE((*required)->commit(records->back().next));
    auto lags = look_at_readers(disk, "/log");
    ASSERT_TRUE(lags) << lags.error().what;
    ASSERT_EQ(lags->size(), 2U);
    EXPECT_EQ((*lags)[0].place.reader, "chart");
    EXPECT_FALSE((*lags)[0].place.slot.required);
    EXPECT_EQ((*lags)[0].records, 100U);
    EXPECT_EQ((*lags)[0].missed_bytes, 0U);
    EXPECT_EQ((*lags)[1].place.reader, "ingest");
    EXPECT_TRUE((*lags)[1].place.slot.required);
    EXPECT_EQ((*lags)[1].records, 70U);
    EXPECT_EQ((*lags)[1].bytes, 70U * 256);
    EXPECT_EQ((*lags)[1].place.slot.offset, records->back().next);
    // The required one reads on and lets go; what the other has not read is deleted.
    while (seq < 5000) {
        append(Class::telemetry, 100);
        records = (*required)->take(200);
        ASSERT_TRUE(records);
        ASSERT_TRUE((*required)->commit(records->back().next));
        ASSERT_TRUE(writer->retire());
    }
    lags = look_at_readers(disk, "/log");
    ASSERT_TRUE(lags) << lags.error().what;
    EXPECT_GT((*lags)[0].missed_bytes, 0U);
    EXPECT_EQ((*lags)[0].missed_bytes + (*lags)[0].bytes, writer->end(Class::telemetry).position);
}

TEST_F(InspectTest, CallsAWholeLogWell) {
    append(Class::telemetry, 1200);
    append(Class::alarm, 200);
    append(Class::control, 3);
    auto reader = Reader::open(disk, "/log", Class::alarm, {"console", false, false});
    ASSERT_TRUE(reader);
    const Verified seen = verified();
    EXPECT_EQ(said, "");
    EXPECT_TRUE(seen.tails.empty());
    EXPECT_GE(seen.records, 1200U + 3U);
    EXPECT_GE(seen.index_entries, 2U);
    EXPECT_EQ(seen.commit_pages, 1U);
}

TEST_F(InspectTest, NamesFileAndOffsetOfEverySpoiledBit) {
    append(Class::telemetry, 900);
    const std::string segment = "/log/telemetry/" + segment_name(0);
    const auto size = (*disk.open(segment, disk::Mode::read))->size();
    ASSERT_TRUE(size);
    std::size_t tried = 0;
    for (std::uint64_t at = 0; at < *size; at += at < 512 ? 1 : 3989) {
        disk.spoil(segment, at);
        said.clear();
        const Verified seen = verified();
        ASSERT_FALSE(seen.findings.empty()) << "a flipped bit at " << at << " was not seen";
        EXPECT_EQ(seen.findings[0].file, segment);
        const std::uint64_t record = at < 64 ? 0 : (at - 64) / 256 * 256 + 64;
        EXPECT_EQ(seen.findings[0].offset, record) << "flipped at " << at << ": " << said;
        // An index entry may point to it.
        const auto here = std::ranges::count(seen.findings, segment, &Finding::file);
        EXPECT_EQ(here, 1) << "flipped at " << at << ": " << said;
        disk.spoil(segment, at);
        ++tried;
    }
    fmt::print("{} flipped bits, each found\n", tried);
    said.clear();
    EXPECT_TRUE(verified().findings.empty()) << said;
}

TEST_F(InspectTest, NamesASpoiledIndexEntryCommitPageAndSnapshot) {
    append(Class::telemetry, 900);
    auto reader = Reader::open(disk, "/log", Class::telemetry, {"ingest", true, false});
    ASSERT_TRUE(reader);
    disk.spoil("/log/telemetry/0000000000000000.index", 3);
    disk.spoil("/log/readers/ingest.telemetry", commit_slot_stride + 24);
    auto listing = list_segments(disk, "/log/telemetry");
    ASSERT_TRUE(listing);
    ASSERT_GT(listing->segments[1].header.snapshot_bytes, 0U);
    disk.spoil(listing->segments[1].path, 66);
    (void)verified();
    EXPECT_THAT(said, HasSubstr("/log/telemetry/0000000000000000.index 0 "));
    EXPECT_THAT(said, HasSubstr("/log/readers/ingest.telemetry 0 neither slot"));
    EXPECT_THAT(said, HasSubstr(listing->segments[1].path + " 64 the snapshot"));
}

TEST_F(InspectTest, SaysThatASegmentInTheMiddleIsGone) {
    append(Class::telemetry, 1500);
    auto listing = list_segments(disk, "/log/telemetry");
    ASSERT_TRUE(listing);
    ASSERT_GE(listing->segments.size(), 3U);
    ASSERT_TRUE(disk.remove(listing->segments[1].path));
    (void)verified();
    EXPECT_THAT(said, HasSubstr(listing->segments[0].path));
    EXPECT_THAT(said, HasSubstr("hold none"));
}

TEST_F(InspectTest, KnowsATornTailFromASpoiledRecord) {
    append(Class::telemetry, 10);
    auto file = disk.open("/log/telemetry/" + segment_name(0), disk::Mode::write);
    ASSERT_TRUE(file);
    const std::string torn = "half a rec";
    ASSERT_TRUE(
        (*file)->write_at(writer->end(Class::telemetry).position, std::as_bytes(std::span{torn}))
    );
    const Verified seen = verified();
    EXPECT_EQ(said, "");
    ASSERT_EQ(seen.tails.size(), 1U);
    EXPECT_EQ(seen.tails[0].offset, 64U + 10U * 256U);
}

TEST_F(InspectTest, WorksWhereNoWriterRanSinceTheMachineStarted) {
    append(Class::telemetry, 900);
    append(Class::alarm, 10);
    const Offset end = writer->end(Class::alarm);
    writer.reset();
    disk.restart(disk::Survival::all);
    const auto all = look_at(disk, "/log", clock.unix_ms());
    ASSERT_TRUE(all) << all.error().what;
    EXPECT_EQ((*all)[2].end, end);
    EXPECT_FALSE((*all)[2].synced);
    EXPECT_FALSE((*all)[2].autonomy_days);
    (void)verified();
    EXPECT_EQ(said, "");
}

// A stale entry would send a reader into the middle of a record, and cost it the segment's rest.
TEST_F(InspectTest, AnIndexThatAPowerCutSpoiledIsTidiedAtTheNextStart) {
    append(Class::telemetry, 400);
    writer.reset();
    const std::string index = "/log/telemetry/0000000000000000.index";
    auto file = disk.open(index, disk::Mode::write);
    ASSERT_TRUE(file);
    const auto size = (*file)->size();
    ASSERT_TRUE(size);
    std::array<std::byte, index_entry_bytes> stale{};
    encode(IndexEntry{999, 1, 7}, stale);
    ASSERT_TRUE((*file)->write_at(*size, stale));
    ASSERT_TRUE((*file)->write_at(*size + stale.size(), std::as_bytes(std::span{"torn"})));
    EXPECT_EQ(verified().findings.size(), 1U);
    writer = open();
    said.clear();
    append(Class::telemetry, 50);
    (void)verified();
    EXPECT_EQ(said, "");
    auto reader = Reader::open(disk, "/log", Class::telemetry, {});
    ASSERT_TRUE(reader);
    ASSERT_TRUE((*reader)->seek_time(1'700'000'000'000 + 30'000));
    const auto item = (*reader)->next();
    ASSERT_TRUE(item && *item);
    EXPECT_EQ((*item)->record.receive_unix_ms, 1'700'000'000'000 + 30'000);
}

// Lists as a live log's reader may see it: each file's size is from before its header was written.
class ListsEarly final : public disk::SimulatedDisk {
  public:
    [[nodiscard]] Outcome<std::vector<disk::Entry>> list(const std::string& directory) override {
        auto entries = disk::SimulatedDisk::list(directory);
        if (entries)
            for (disk::Entry& entry : *entries)
                entry.size_bytes = 0;
        return entries;
    }
};

TEST(InspectLive, ASegmentThatGrewSinceItWasListedIsWhole) {
    ListsEarly disk;
    clock::VirtualClock clock{1'700'000'000'000};
    auto writer = Writer::open(disk, clock, "/log", tiny());
    ASSERT_TRUE(writer) << writer.error().what;
    RecordView record;
    record.sender = "pump";
    record.topic = "t";
    record.payload = "21.5";
    for (std::uint64_t i = 1; i <= 400; ++i) {
        ASSERT_TRUE((*writer)->append(Class::waveform, record, Mark{1, i}));
        ASSERT_TRUE((*writer)->sync());
    }
    const auto seen = verify(disk, "/log");
    ASSERT_TRUE(seen) << seen.error().what;
    EXPECT_EQ(seen->records, 400U);
    EXPECT_GT(seen->segments, 4U);  // those behind the first begin with a snapshot of marks
    for (const Finding& finding : seen->findings)
        ADD_FAILURE() << finding.file << ' ' << finding.offset << ' ' << finding.what;
}

// A process appends, rolls, retires and recycles as fast as it can; whoever looks at it finds
// nothing wrong, and does it no harm.
TEST(InspectLive, FindsNothingWrongBesideALiveWriter) {
    const std::string root =
        (std::filesystem::temp_directory_path() / fmt::format("stator-inspect-{}", getpid()))
            .string();
    std::filesystem::remove_all(root);
    disk::PosixDisk disk;
    clock::RealClock clock;
    Budgets budgets = tiny();
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        auto writer = Writer::open(disk, clock, root, budgets);
        if (!writer) _exit(1);
        const std::string payload(300, 'x');
        RecordView record;
        record.sender = "pump";
        record.topic = "t";
        record.payload = payload;
        for (std::uint64_t i = 1;; ++i) {
            record.receive_unix_ms = clock.unix_ms();
            const Class c = static_cast<Class>(i % class_count);
            if (!(*writer)->append(c, record, Mark{1, i})) _exit(2);
            if (i % 50 == 0 && !(*writer)->sync()) _exit(3);
            if (i % 200 == 0 && !(*writer)->retire()) _exit(4);
        }
    }
    const auto begun = [&] {
        const auto words = read_words(disk, root);
        return words && (*words)[1].end > 4096;
    };
    for (int i = 0; i < 5000 && !begun(); ++i)
        clock.wait_us(1000);
    ASSERT_TRUE(begun());
    std::uint64_t looks = 0;
    std::uint64_t records = 0;
    const auto rolled = [&] {
        const auto words = read_words(disk, root);
        return words && (*words)[1].first > 500'000 && (*words)[2].first > 0;
    };
    int status = 0;
    const auto writes = [&] { return waitpid(child, &status, WNOHANG) == 0; };
    bool alive = true;
    // However slow the writer's disk is: until it has let go of what it wrote.
    while (alive && (looks < 20 || !rolled())) {
        const auto seen = verify(disk, root);
        ASSERT_TRUE(seen) << seen.error().what;
        for (const Finding& finding : seen->findings)
            ADD_FAILURE() << finding.file << ' ' << finding.offset << ' ' << finding.what;
        records += seen->records;
        const auto held = look_at(disk, root, clock.unix_ms());
        ASSERT_TRUE(held) << held.error().what;
        const auto lags = look_at_readers(disk, root);
        ASSERT_TRUE(lags) << lags.error().what;
        ++looks;
        if (testing::Test::HasFailure()) break;
        alive = writes();
    }
    EXPECT_TRUE(alive) << "the writer left by itself: " << status;
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    fmt::print("{} looks beside a live writer, {} records checked\n", looks, records);
    std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace stator::log
