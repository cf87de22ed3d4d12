// What single power cuts left that the sweep comes by too seldom: each of these was a fault.
#include "store/log/recovery.h"

#include "store/log/reader.h"
#include "world/clock/virtual.h"
#include "world/disk/simulated.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace stator::log {
namespace {

class RecoveryTest : public testing::Test {
  public:
    disk::SimulatedDisk disk;
    clock::VirtualClock clock{1'700'000'000'000};
    std::unique_ptr<Writer> writer = open_writer();
    std::unique_ptr<Reader> reader = open_reader();

    [[nodiscard]] Budgets budgets() const {
        Budgets made;
        made.waveform = {8192, 2048, false};
        made.telemetry = {8192, 2048, false};
        made.alarm = {8192, 2048, true};
        made.control = {8192, 2048, true};
        made.required = {{"ingest", Class::telemetry}};
        return made;
    }

    std::unique_ptr<Writer> open_writer() {
        auto opened = Writer::open(disk, clock, "/log", budgets());
        EXPECT_TRUE(opened) << opened.error().what;
        return opened ? std::move(*opened) : nullptr;
    }

    std::unique_ptr<Reader> open_reader() {
        auto opened = Reader::open(disk, "/log", Class::telemetry, {"ingest", true, false});
        EXPECT_TRUE(opened) << opened.error().what;
        return opened ? std::move(*opened) : nullptr;
    }

    void restart(disk::Survival survival) {
        writer.reset();
        reader.reset();
        disk.restart(survival);
        writer = open_writer();
        reader = open_reader();
    }

    void append(const std::string& payload) {
        RecordView record;
        record.receive_unix_ms = clock.unix_ms();
        record.topic = "t";
        record.sender = "pump";
        record.payload = payload;
        const auto done = writer->append(Class::telemetry, record);
        ASSERT_TRUE(done) << done.error().what;
    }

    std::vector<std::string> given() {
        std::vector<std::string> payloads;
        const auto records = reader->take(1000);
        EXPECT_TRUE(records) << records.error().what;
        for (const Record& record : *records)
            payloads.push_back(record.payload);
        return payloads;
    }
};

using Payloads = std::vector<std::string>;

// Nothing was synced yet: of two segments the cut may leave the second one alone.
TEST_F(RecoveryTest, SegmentsBehindAFirstOneThatNeverReachedTheDiskGo) {
    for (int i = 0; i < 4; ++i)
        append(std::string(900, 'x'));
    writer.reset();
    reader.reset();
    const std::string first = "/log/telemetry/" + segment_name(0);
    ASSERT_TRUE(disk.exists(first));
    ASSERT_TRUE(disk.remove(first));
    writer = open_writer();
    EXPECT_TRUE(writer->repair_report().repaired);
    EXPECT_EQ(writer->end(Class::telemetry).epoch, 2U);
    reader = open_reader();
    append("after");
    EXPECT_EQ(given(), Payloads{"after"});
    EXPECT_EQ(reader->missed_bytes(), 0U) << "nothing that was there is missing";
}

// Where no segment is left, its epoch must not be given to others: somebody may still know it.
TEST_F(RecoveryTest, AnEpochThatWasTakenAwayIsNotUsedAgain) {
    append("lost");
    writer.reset();
    reader.reset();
    for (const char* const name : {"waveform", "telemetry", "alarm", "control"}) {
        auto file = disk.open(fmt::format("/log/{}/{}", name, segment_name(0)), disk::Mode::write);
        ASSERT_TRUE(file);
        const std::array<std::byte, 1> spoiled{std::byte{'X'}};
        ASSERT_TRUE((*file)->write_at(0, spoiled));
    }
    writer = open_writer();
    EXPECT_TRUE(writer->repair_report().repaired);
    const std::uint32_t epoch = writer->end(Class::telemetry).epoch;
    EXPECT_EQ(epoch, 2U) << "the reader's place is of epoch 1";
    reader = open_reader();
    append("after");
    ASSERT_TRUE(writer->sync());
    EXPECT_EQ(given(), Payloads{"after"});
    EXPECT_EQ(reader->missed_bytes(), 0U);
    ASSERT_TRUE(reader->commit(reader->position()));
    EXPECT_EQ(reader->committed(), (Offset{epoch, writer->end(Class::telemetry).position}));
}

// A reader commits in a repair's new epoch, as far as is synced; then the epoch's own segments go.
TEST_F(RecoveryTest, CommitsGoOnAfterTheEpochOfTheLastOneWasLost) {
    append("first");
    ASSERT_TRUE(writer->sync());
    EXPECT_EQ(given(), Payloads{"first"});
    // A tear: the next start begins epoch 2.
    append("torn");
    writer.reset();
    reader.reset();
    auto file = disk.open("/log/telemetry/" + segment_name(0), disk::Mode::write);
    ASSERT_TRUE(file);
    const auto size = (*file)->size();
    ASSERT_TRUE(size);
    ASSERT_TRUE((*file)->truncate(*size - 8));
    writer = open_writer();
    EXPECT_EQ(writer->end(Class::telemetry).epoch, 2U);
    reader = open_reader();
    append("in epoch 2");
    EXPECT_EQ(given(), (Payloads{"first", "in epoch 2"}));
    ASSERT_TRUE(reader->commit(reader->position()));
    const Offset before = reader->committed();
    // Nothing of epoch 2 was synced.
    restart(disk::Survival::none);
    EXPECT_TRUE(writer->repair_report().repaired);
    EXPECT_EQ(writer->end(Class::telemetry).epoch, 3U);
    append("afterwards");
    ASSERT_TRUE(writer->sync());
    EXPECT_EQ(given(), Payloads{"afterwards"});
    ASSERT_TRUE(reader->commit(reader->position()));
    EXPECT_GT(reader->committed().position, before.position);
    EXPECT_EQ(reader->committed().position, writer->end(Class::telemetry).position);
}

}  // namespace
}  // namespace stator::log
