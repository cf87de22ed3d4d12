// What is gathered is as safe as what is written, and nothing else ever comes out of a gathering.
#include "store/log/gathering.h"

#include "store/log/reader.h"
#include "store/log/verify.h"
#include "store/log/writer.h"
#include "world/clock/virtual.h"
#include "world/disk/simulated.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace stator::log {
namespace {

constexpr std::uint64_t gathered_bytes = 2048;

Budgets gathering_budgets() {
    Budgets budgets;
    budgets.waveform = {65536, 8192, false};
    budgets.telemetry = {65536, 8192, false, gathered_bytes};
    budgets.alarm = {32768, 8192, true};
    budgets.control = {32768, 8192, true};
    return budgets;
}

class GatheringTest : public testing::Test {
  public:
    disk::SimulatedDisk disk;
    clock::VirtualClock clock{1'700'000'000'000};
    std::unique_ptr<Writer> writer = open();
    std::vector<std::string> accepted;

    std::unique_ptr<Writer> open() {
        auto opened = Writer::open(disk, clock, "/log", gathering_budgets());
        EXPECT_TRUE(opened) << opened.error().what;
        return opened ? std::move(*opened) : nullptr;
    }

    // As kill -9: nobody hands over what is gathered.
    void kill_and_open() {
        writer.reset();
        writer = open();
        ASSERT_TRUE(writer);
    }

    bool append(std::size_t payload_bytes) {
        const std::string payload =
            fmt::format("{} {}", accepted.size(), std::string(payload_bytes, 'x'));
        RecordView record;
        record.receive_unix_ms = clock.unix_ms();
        record.topic = "t";
        record.sender = "pump";
        record.payload = payload;
        if (!writer->append(Class::telemetry, record, Mark{1, accepted.size() + 1})) return false;
        accepted.push_back(payload);
        return true;
    }

    std::vector<std::string> readable() {
        auto reader = Reader::open(disk, "/log", Class::telemetry, {});
        EXPECT_TRUE(reader);
        const auto records = (*reader)->take(100'000);
        EXPECT_TRUE(records);
        std::vector<std::string> payloads;
        for (const Record& record : *records)
            payloads.push_back(record.payload);
        return payloads;
    }

    std::string gathering() {
        return *disk.read_all(gathering_path("/log", Class::telemetry), 1U << 20U);
    }

    void put_gathering(const std::string& bytes) {
        const auto file = disk.open(gathering_path("/log", Class::telemetry), disk::Mode::write);
        ASSERT_TRUE(file);
        ASSERT_TRUE((*file)->write_at(0, std::as_bytes(std::span{bytes})));
    }
};

TEST_F(GatheringTest, ReadersAreGivenItOnceItIsHandedOverOrSynced) {
    ASSERT_TRUE(append(10));
    ASSERT_TRUE(append(10));
    EXPECT_TRUE(readable().empty());
    ASSERT_TRUE(writer->hand_over());
    EXPECT_EQ(readable(), accepted);
    ASSERT_TRUE(append(10));
    EXPECT_EQ(readable().size(), 2U);
    ASSERT_TRUE(writer->sync());
    EXPECT_EQ(readable(), accepted);
    EXPECT_EQ(writer->synced_mark("pump"), (Mark{1, 3}));
}

TEST_F(GatheringTest, AKilledWritersComesToTheSegmentWithTheNextOpen) {
    for (const std::size_t size : {900U, 900U, 10U, 10U, 10U, 700U, 10U})
        ASSERT_TRUE(append(size));
    kill_and_open();
    EXPECT_FALSE(writer->repair_report().repaired);
    EXPECT_EQ(readable(), accepted);
    // Short ones now stand where longer ones did.
    ASSERT_TRUE(append(3));
    ASSERT_TRUE(append(3));
    kill_and_open();
    EXPECT_FALSE(writer->repair_report().repaired);
    kill_and_open();
    EXPECT_EQ(readable(), accepted);
    EXPECT_TRUE(verify(disk, "/log")->findings.empty());
}

TEST_F(GatheringTest, ARecordThatDoesNotFitGoesByItselfInItsOrder) {
    ASSERT_TRUE(append(10));
    ASSERT_TRUE(append(gathered_bytes));
    EXPECT_EQ(readable(), accepted);
    ASSERT_TRUE(append(10));
    kill_and_open();
    EXPECT_EQ(readable(), accepted);
}

TEST_F(GatheringTest, WhatWasAcceptedFindsItsPlaceOnAFullDisk) {
    ASSERT_TRUE(append(10));
    disk.set_capacity(0);
    std::size_t more = 0;
    while (append(100))
        ++more;
    EXPECT_GT(more, 10U) << "what is reserved is used";
    EXPECT_TRUE(writer->hold(Class::telemetry) || writer->fill(Class::telemetry) == 1.0);
    kill_and_open();
    EXPECT_EQ(readable(), accepted);
    disk.set_capacity(disk::SimulatedDisk::never);
    ASSERT_TRUE(writer->retire());
    ASSERT_TRUE(append(100));
    ASSERT_TRUE(writer->sync());
    EXPECT_EQ(readable(), accepted);
}

TEST_F(GatheringTest, WhatIsOldOrBrokenInTheFileIsLeftAlone) {
    ASSERT_TRUE(append(100));
    ASSERT_TRUE(append(100));
    const std::string old = gathering();
    while (accepted.size() < 100)  // some segments on
        ASSERT_TRUE(append(200));
    ASSERT_TRUE(writer->sync());
    for (const std::string& bytes :
         {old,
          std::string(old.size(), '\0'),
          std::string(old.size(), '\xff'),
          "STATORGA" + std::string(old.size() - 8, '\x01')}) {
        writer.reset();
        put_gathering(bytes);
        writer = open();
        ASSERT_TRUE(writer);
        EXPECT_FALSE(writer->repair_report().repaired);
        EXPECT_EQ(readable(), accepted);
        ASSERT_TRUE(append(50));
        ASSERT_TRUE(writer->sync());
    }
    EXPECT_TRUE(verify(disk, "/log")->findings.empty());
}

TEST_F(GatheringTest, WithoutItTheFileIsEmptiedIntoTheSegmentAndGoes) {
    ASSERT_TRUE(append(10));
    writer.reset();
    Budgets budgets = gathering_budgets();
    budgets.telemetry.gathered_bytes = 0;
    const auto plain = Writer::open(disk, clock, "/log", budgets);
    ASSERT_TRUE(plain);
    EXPECT_EQ(readable(), accepted);
    EXPECT_FALSE(disk.exists(gathering_path("/log", Class::telemetry)));
}

TEST_F(GatheringTest, AHandOverThatFailsStopsTheWriterAndPromisesNothing) {
    ASSERT_TRUE(writer->sync());
    ASSERT_TRUE(append(10));
    disk.cut_power_before(disk.operations());
    EXPECT_FALSE(writer->hand_over());
    EXPECT_TRUE(writer->broken());
    EXPECT_FALSE(writer->begin_sync());
    EXPECT_FALSE(writer->sync());
    EXPECT_FALSE(writer->synced_mark("pump"));
    EXPECT_FALSE(append(10));
}

}  // namespace
}  // namespace stator::log
