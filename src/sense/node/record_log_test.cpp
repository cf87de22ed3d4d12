#include "sense/node/record_log.h"

#include "sense/hal/conformance.h"
#include "sense/node/fake_hal_test.h"
#include "sense/node/slots.h"

#include <gtest/gtest.h>

namespace stator::node {
namespace {

constexpr std::uint32_t magic = 0x31323334;

TEST(FakeFlash, ConformsSoThatItsTestsSpeakForThePorts) {
    fake::Flash flash{8};
    EXPECT_EQ(hal::check_flash([&]() -> hal::Flash& { return flash; }), "");
}

TEST(RecordLog, TheLastRecordIsReadAfterMoreThanBothSectorsWereFilled) {
    fake::Flash flash{2, 256};  // 8 records a sector
    for (std::uint32_t i = 1; i <= 50; ++i) {
        RecordLog log{flash, 0, magic};
        ASSERT_TRUE(log.append({i, 0, 0, 0, 9}));
        ASSERT_TRUE(log.last());
        EXPECT_EQ((*RecordLog{flash, 0, magic}.last())[0], i);
    }
}

// The sweep: at every operation, torn after every byte, what is read afterwards is either the value
// before or the one being written, and writing goes on.
TEST(RecordLog, APowerCutInsideAnyOperationLeavesTheOldOrTheNewRecord) {
    int cuts = 0;
    for (std::uint64_t operation = 0;; ++operation) {
        bool cut = false;
        for (std::size_t torn = 0; torn <= 256; torn += torn < 32 ? 1 : 32) {
            fake::Flash flash{2, 256};
            flash.cut_power_at(operation, torn);
            std::uint32_t written = 0;
            for (std::uint32_t i = 1; i <= 20; ++i) {
                if (!RecordLog(flash, 0, magic).append({i, i, i, i, i})) break;
                written = i;
            }
            if (!flash.off) continue;
            cut = true;
            ++cuts;
            flash.restart();
            RecordLog log{flash, 0, magic};
            const auto last = log.last();
            const std::uint32_t found = last ? (*last)[0] : 0;
            ASSERT_TRUE(found == written || found == written + 1)
                << operation << ' ' << torn << ' ' << found << ' ' << written;
            ASSERT_TRUE(log.append({99, 0, 0, 0, 0}));
            ASSERT_EQ((*log.last())[0], 99U);
        }
        if (!cut) break;
    }
    EXPECT_GT(cuts, 22 * 30);
}

TEST(RecordLog, AFlippedBitMakesARecordInvalidAndTheOneBeforeItTheLast) {
    fake::Flash flash{2, 256};
    RecordLog log{flash, 0, magic};
    ASSERT_TRUE(log.append({1, 0, 0, 0, 0}));
    ASSERT_TRUE(log.append({2, 0, 0, 0, 0}));
    flash.bytes[32 + 8] ^= std::byte{0x04};
    EXPECT_EQ((*log.last())[0], 1U);
}

// The worked example of docs/formats/node-flash.md.
TEST(RecordLog, ARecordHasTheBytesOfItsPage) {
    fake::Flash flash{64};
    Slots slots{flash};
    ASSERT_EQ(*slots.count_boot(), 1U);
    constexpr std::array<unsigned, 28> expected = {0x42, 0x4F, 0x4F, 0x54, 1, 0, 0, 0, 1, 0,
                                                   0,    0,    0,    0,    0, 0, 0, 0, 0, 0,
                                                   0,    0,    0,    0,    0, 0, 0, 0};
    for (std::size_t i = 0; i < expected.size(); ++i)
        EXPECT_EQ(std::to_integer<unsigned>(flash.bytes[i]), expected[i]) << i;
    constexpr std::array<unsigned, 4> crc = {0xBD, 0x16, 0x17, 0x9F};
    for (std::size_t i = 0; i < crc.size(); ++i)
        EXPECT_EQ(std::to_integer<unsigned>(flash.bytes[28 + i]), crc[i]) << i;
}

TEST(Slots, BootsAreCountedAndActivationIsRememberedOverRestarts) {
    fake::Flash flash{64};
    EXPECT_EQ(*Slots{flash}.count_boot(), 1U);
    EXPECT_FALSE(Slots{flash}.known_active());
    ASSERT_TRUE(Slots{flash}.remember_active(true));
    EXPECT_EQ(*Slots{flash}.count_boot(), 2U);
    EXPECT_TRUE(Slots{flash}.known_active());
    EXPECT_EQ(*Slots{flash}.count_boot(), 3U);
    ASSERT_TRUE(Slots{flash}.remember_active(false));
    EXPECT_FALSE(Slots{flash}.known_active());
}

TEST(Slots, WhatIsCommittedIsNotTheSlotThatIsWritten) {
    fake::Flash flash{64};
    Slots slots{flash};
    EXPECT_FALSE(slots.committed());
    EXPECT_EQ(slots.idle(), 0U);
    const std::string model(5001, 'm');
    for (std::uint32_t release = 1; release <= 3; ++release) {
        const std::uint32_t slot = slots.idle();
        slots.begin();
        for (;;) {
            const auto done = slots.erase_next(model.size());
            ASSERT_TRUE(done);
            if (*done) break;
        }
        ASSERT_TRUE(slots.write_envelope("envelope"));
        ASSERT_TRUE(slots.write_tflite(0, std::as_bytes(std::span{model}.first(4096))));
        ASSERT_TRUE(slots.write_tflite(4096, std::as_bytes(std::span{model}.subspan(4096))));
        ASSERT_TRUE(slots.commit({slot, release, 8, 5001}));
        EXPECT_NE(slots.idle(), slot);
        const auto commit = Slots{flash}.committed();
        ASSERT_TRUE(commit);
        EXPECT_EQ(commit->release, release);
        EXPECT_EQ(slots.envelope(commit->slot, 8), "envelope");
        const auto read = slots.tflite(commit->slot, 5001);
        EXPECT_EQ(std::memcmp(read.data(), model.data(), 5001), 0);
    }
    EXPECT_EQ(
        slots.write_tflite(slots.tflite_bytes_max(), std::array<std::byte, 4>{}).error(),
        base::Fault::full
    );
    EXPECT_EQ(slots.erase_next(slots.tflite_bytes_max() + 1).error(), base::Fault::full);
}

}  // namespace
}  // namespace stator::node
