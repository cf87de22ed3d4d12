#include "store/stream/census.h"

#include "store/log/writer.h"
#include "world/clock/virtual.h"
#include "world/disk/simulated.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

namespace stator::stream {
namespace {

class CensusTest : public testing::Test {
  public:
    CensusTest() {
        auto opened = log::Writer::open(disk, clock, "/log", {});
        EXPECT_TRUE(opened) << opened.error().what;
        writer = std::move(*opened);
        auto made = Census::open(disk, "/log");
        EXPECT_TRUE(made) << made.error().what;
        census = std::move(*made);
    }

    void put(std::uint64_t seq, log::Class c = log::Class::telemetry, std::uint32_t boot = 1) {
        append(c, fmt::format(R"({{"deviceID":"7","boot":{},"seq":{}}})", boot, seq));
    }

    void append(log::Class c, std::string_view payload) {
        clock.wait_us(1'000'000);
        log::RecordView record;
        record.receive_unix_ms = clock.unix_ms();
        record.topic = "t";
        record.sender = "7";
        record.payload = payload;
        ASSERT_TRUE(writer->append(c, record));
    }

    Census::Device device() {
        const auto more = census->step(100'000);
        EXPECT_TRUE(more && !*more);
        return census->devices()["7"];
    }

    disk::SimulatedDisk disk;
    clock::VirtualClock clock{1'700'000'000'000};
    std::unique_ptr<log::Writer> writer;
    std::unique_ptr<Census> census;
};

TEST_F(CensusTest, AMessageOfAnotherClassIsNotMissing) {
    put(5);
    put(6, log::Class::alarm);
    put(7, log::Class::control);
    put(8);
    const Census::Device seen = device();
    EXPECT_EQ(seen.received, 4U);
    EXPECT_EQ(seen.missing, 0U);
    EXPECT_EQ(seen.duplicates, 0U);
    EXPECT_EQ(seen.seq, 8U);
    EXPECT_EQ(seen.last_seen_unix_ms, clock.unix_ms());
}

TEST_F(CensusTest, AClassThatBeginsLateDoesNotMakeWhatCameBeforeItARepeat) {
    for (std::uint64_t seq = 1; seq <= 50; ++seq)
        put(seq);
    put(51, log::Class::waveform);
    put(52, log::Class::alarm);
    put(53);
    const Census::Device seen = device();
    EXPECT_EQ(seen.received, 53U);
    EXPECT_EQ(seen.duplicates, 0U);
    EXPECT_EQ(seen.missing, 0U);
}

TEST_F(CensusTest, CountsWhatCameTwiceOnceEach) {
    for (const std::uint64_t seq : {1U, 2U, 3U, 2U, 3U, 4U, 1U})
        put(seq);
    const Census::Device seen = device();
    EXPECT_EQ(seen.received, 4U);
    EXPECT_EQ(seen.duplicates, 3U);
    EXPECT_EQ(seen.missing, 0U);
}

TEST_F(CensusTest, WhatComesLateIsMissingOnlyUntilThen) {
    put(1);
    put(10);
    EXPECT_EQ(device().missing, 8U);
    put(5);
    put(2);
    put(9);
    EXPECT_EQ(device().missing, 5U);
    EXPECT_EQ(device().duplicates, 0U);
    put(5);
    EXPECT_EQ(device().duplicates, 1U);
    for (const std::uint64_t seq : {3U, 4U, 6U, 7U, 8U})
        put(seq);
    EXPECT_EQ(device().missing, 0U);
    EXPECT_EQ(device().received, 10U);
}

TEST_F(CensusTest, WhatADeviceSaysItShedIsCountedApart) {
    put(1);
    put(21);
    append(
        log::Class::telemetry,
        R"({"deviceID":"7","timeStamp":"1700000000000","boot":1,"seq":22,"event":"gap",)"
        R"("from":2,"to":15,"reason":"the queue was full"})"
    );
    const Census::Device seen = device();
    EXPECT_EQ(seen.declared, 14U);
    EXPECT_EQ(seen.missing, 5U);
}

TEST_F(CensusTest, ANewBootBeginsAnewAndTheOldOnesRestMayFollow) {
    put(1, log::Class::telemetry, 3);
    put(4, log::Class::telemetry, 3);
    put(1, log::Class::telemetry, 4);
    put(2, log::Class::telemetry, 3);
    put(5, log::Class::telemetry, 3);
    const Census::Device seen = device();
    EXPECT_EQ(seen.boot, 4U);
    EXPECT_EQ(seen.seq, 1U);
    EXPECT_EQ(seen.missing, 1U);
    EXPECT_EQ(seen.duplicates, 0U);
    EXPECT_EQ(seen.received, 5U);
}

TEST_F(CensusTest, PassesOverWhatHasNoNumberAndTellsMetrics) {
    append(log::Class::control, R"({"command":"train-model","payload":""})");
    append(log::Class::telemetry, "not JSON");
    put(1);
    put(4);
    (void)device();
    metrics::Metrics metrics;
    census->tell(metrics);
    EXPECT_EQ(census->devices().size(), 1U);
    EXPECT_EQ(metrics.get("stator_device_missing_messages", R"(device="7")"), 2);
    EXPECT_EQ(metrics.get("stator_device_received_messages", R"(device="7")"), 2);
}

// Against sets: any order, any repetition, gaps declared by the way.
TEST(CensusModel, AgreesWithSetsOfWhatWasSentAndShed) {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        SCOPED_TRACE(seed);
        std::mt19937_64 random{seed};
        disk::SimulatedDisk disk;
        auto census = Census::open(disk, "/log");
        ASSERT_TRUE(census);
        std::set<std::uint64_t> sent;
        std::set<std::uint64_t> shed;
        std::uint64_t duplicates = 0;
        const auto send = [&](std::uint64_t seq, std::uint64_t from, std::uint64_t to) {
            const std::string gap =
                from == 0 ? ""
                          : fmt::format(
                                R"(,"timeStamp":"1","event":"gap","from":{},"to":{},"reason":"")",
                                from,
                                to
                            );
            (*census)->count(fmt::format(R"({{"deviceID":"7","boot":1,"seq":{}{}}})", seq, gap), 1);
            if (shed.contains(seq) || !sent.insert(seq).second) {
                ++duplicates;
                return;
            }
            for (std::uint64_t n = from; from != 0 && n <= to && n < *sent.rbegin(); ++n)
                if (!sent.contains(n)) shed.insert(n);
        };
        send(1, 0, 0);
        for (int i = 0; i < 150; ++i) {
            const std::uint64_t from = random() % 12 == 0 ? 2 + random() % 100 : 0;
            send(1 + random() % 120, from, from + random() % 10);
        }
        std::uint64_t missing = 0;
        for (std::uint64_t n = 1; n < *sent.rbegin(); ++n)
            if (!sent.contains(n) && !shed.contains(n)) ++missing;
        const Census::Device device = (*census)->devices()["7"];
        ASSERT_EQ(device.seq, *sent.rbegin());
        ASSERT_EQ(device.received, sent.size());
        ASSERT_EQ(device.duplicates, duplicates);
        ASSERT_EQ(device.declared, shed.size());
        ASSERT_EQ(device.missing, missing);
    }
}

}  // namespace
}  // namespace stator::stream
