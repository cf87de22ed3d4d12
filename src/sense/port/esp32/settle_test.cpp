// What of this port needs no chip: how the loader and the firmware log agree, the layout of the
// partitions, and the form of signatures.
#include "sense/port/esp32/settle.h"

#include "sense/hal/conformance.h"
#include "sense/node/fake_hal_test.h"
#include "sense/port/esp32/der.h"
#include "sense/port/esp32/firmware_flash.h"
#include "sense/port/esp32/memory.h"

#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <string>
#include <vector>

namespace stator::esp32 {
namespace {

using node::FirmwareBank;
using node::FirmwareState;
using node::FirmwareTrial;

constexpr std::size_t sector = 4096;
constexpr std::size_t slot_sectors = 4;

// esp_ota with rollback, as documented: an image that was chosen runs once, and when it is not kept
// by the next start, the one before runs.
struct Chip final : Loader {
    std::uint32_t running_slot() override { return running; }

    bool gave_up(std::uint32_t slot) override { return state[slot] == aborted; }

    bool choose(std::uint32_t slot) override {
        if (!whole[slot]) return false;
        boots = slot;
        state[slot] = fresh;
        return true;
    }

    void keep() override { state[running] = valid; }

    void start() {
        if (state[boots] == pending) {
            state[boots] = aborted;
            boots = 1 - boots;
        }
        if (state[boots] == fresh) state[boots] = pending;
        running = boots;
    }

    enum State { undefined, fresh, pending, valid, aborted };

    std::uint32_t running = 0;
    std::uint32_t boots = 0;
    std::array<State, 2> state{undefined, undefined};
    std::array<bool, 2> whole{true, true};
};

class SettleTest : public testing::Test {
  protected:
    FirmwareBank bank() { return FirmwareBank{flash, sector}; }

    // Starts until it goes on; how often that was.
    int power_on() {
        int starts = 0;
        do {
            chip.start();
            ++starts;
            auto log = bank();
            if (settle(log, chip) == Settled::go_on) return starts;
        } while (starts < 10);
        return starts;
    }

    void propose(std::uint32_t release) {
        FirmwareState state = bank().state();
        state.trial = FirmwareTrial::pending;
        state.candidate = release;
        ASSERT_TRUE(bank().append(state));
    }

    fake::Flash small{4};
    fake::Flash slot_0{slot_sectors};
    fake::Flash slot_1{slot_sectors};
    FirmwareFlash flash{small, slot_0, slot_1};
    Chip chip;
};

TEST_F(SettleTest, AsTheFactoryLeftItItRunsAndIsKept) {
    EXPECT_EQ(power_on(), 1);
    EXPECT_EQ(chip.state[0], Chip::valid);
    EXPECT_EQ(bank().state().trial, FirmwareTrial::none);
}

TEST_F(SettleTest, AProposedFirmwareRunsOnceOnTrialAndIsKeptWhenItWasConfirmed) {
    power_on();
    propose(2);
    ASSERT_TRUE(chip.choose(1));
    EXPECT_EQ(power_on(), 1);
    EXPECT_EQ(chip.running, 1U);
    EXPECT_EQ(bank().state().trial, FirmwareTrial::running);
    EXPECT_EQ(chip.state[1], Chip::pending);
    ASSERT_TRUE(bank().confirm());
    chip.keep();
    EXPECT_EQ(power_on(), 1);
    EXPECT_EQ(chip.running, 1U);
    EXPECT_EQ(bank().state().release, 2U);
}

TEST_F(SettleTest, APowerCutBeforeTheLoaderWasAskedIsMadeUpFor) {
    power_on();
    propose(2);
    EXPECT_EQ(power_on(), 2);
    EXPECT_EQ(chip.running, 1U);
    EXPECT_EQ(bank().state().trial, FirmwareTrial::running);
}

TEST_F(SettleTest, ATrialThatEndsWithoutAConfirmationLeadsBack) {
    power_on();
    propose(2);
    ASSERT_TRUE(chip.choose(1));
    power_on();
    EXPECT_EQ(power_on(), 1);  // it crashed, hung, or lost its power
    EXPECT_EQ(chip.running, 0U);
    EXPECT_EQ(bank().state().trial, FirmwareTrial::not_confirmed);
    EXPECT_EQ(bank().state().release, 0U);
}

TEST_F(SettleTest, ALoaderWithoutRollbackLeadsBackAllTheSame) {
    power_on();
    propose(2);
    ASSERT_TRUE(chip.choose(1));
    power_on();
    chip.state[1] = Chip::valid;  // as if nobody watched
    EXPECT_EQ(power_on(), 2);
    EXPECT_EQ(chip.running, 0U);
    EXPECT_EQ(bank().state().trial, FirmwareTrial::not_confirmed);
}

TEST_F(SettleTest, APowerCutBetweenTheConfirmationAndTheLoadersWordLosesNothing) {
    power_on();
    propose(2);
    ASSERT_TRUE(chip.choose(1));
    power_on();
    ASSERT_TRUE(bank().confirm());  // and before keep() the power goes: the loader goes back
    EXPECT_EQ(power_on(), 2);
    EXPECT_EQ(chip.running, 1U);
    EXPECT_EQ(chip.state[1], Chip::valid);
    EXPECT_EQ(bank().state().release, 2U);
}

TEST_F(SettleTest, AnImageThatTheLoaderDoesNotTakeIsToldOfAndNotTried) {
    power_on();
    propose(2);
    chip.whole[1] = false;
    EXPECT_EQ(power_on(), 1);
    EXPECT_EQ(chip.running, 0U);
    EXPECT_EQ(bank().state().trial, FirmwareTrial::damaged);
}

TEST_F(SettleTest, WhenTheConfirmedImageIsSpoiledTheOtherRunsAndTheReleaseStays) {
    power_on();
    propose(2);
    ASSERT_TRUE(chip.choose(1));
    power_on();
    ASSERT_TRUE(bank().confirm());
    chip.keep();
    chip.whole[1] = false;
    chip.boots = 0;  // the loader passes over what is not whole
    EXPECT_EQ(power_on(), 1);
    EXPECT_EQ(bank().state().slot, 0U);
    EXPECT_EQ(bank().state().release, 2U);
}

// Every order of flash and loader that an update makes may be the last before a power cut.
TEST_F(SettleTest, NoPowerCutAnywhereInAnUpdateLeadsToARestartWithoutEnd) {
    for (int cut = 0; cut < 6; ++cut) {
        SetUp();
        for (std::size_t at = 0; at < flash.size_bytes(); at += sector)
            ASSERT_TRUE(flash.erase(at));
        chip = Chip{};
        power_on();
        int step = 0;
        const auto goes_on = [&] { return step++ < cut; };
        if (goes_on()) propose(2);
        if (goes_on()) static_cast<void>(chip.choose(1));
        if (goes_on()) power_on();
        if (goes_on() && bank().state().trial == FirmwareTrial::running) {
            ASSERT_TRUE(bank().confirm());
        }
        if (goes_on()) chip.keep();
        EXPECT_LE(power_on(), 2) << cut;
        EXPECT_LE(power_on(), 2) << cut;
        EXPECT_EQ(chip.running, bank().state().running_slot()) << cut;
    }
}

TEST_F(SettleTest, TheLayoutIsAFlashLikeAnyOther) {
    EXPECT_EQ(hal::check_flash([&]() -> hal::Flash& { return flash; }), "");
}

TEST_F(SettleTest, AnImageLiesAtItsPartitionsBeginAndItsHeaderElsewhere) {
    auto log = bank();
    EXPECT_EQ(log.image_bytes_max(), slot_sectors * sector);
    log.begin();
    for (base::Result<bool> done = false; done && !*done;)
        done = log.erase_next(firmware::header_bytes + 8);
    const std::vector<std::byte> head(firmware::header_bytes, std::byte{0x11});
    const std::vector<std::byte> image(8, std::byte{0x22});
    ASSERT_TRUE(log.write(0, head));
    ASSERT_TRUE(log.write(firmware::header_bytes, image));
    EXPECT_EQ(slot_1.mapped(0, 1)[0], std::byte{0x22});  // what the chip's loader reads
    EXPECT_EQ(slot_1.mapped(8, 1)[0], std::byte{0xFF});
    EXPECT_EQ(small.mapped(3 * sector, 1)[0], std::byte{0x11});
    EXPECT_EQ(log.image(1, 8)[7], std::byte{0x22});
}

TEST(Memory, TheNodesFlashIsItsPartition) {
    std::ifstream table{STATOR_SOURCE_DIR "/src/sense/port/esp32/project/partitions.csv"};
    std::string node;
    for (std::string line; std::getline(table, line);)
        if (line.starts_with("node,")) node = line;
    const std::size_t size_at = node.rfind("0x");
    ASSERT_NE(size_at, std::string::npos);
    EXPECT_EQ(std::stoul(node.substr(size_at), nullptr, 16), node_flash_bytes);
}

TEST(DerSignature, IsTheShortestFormOfBothNumbers) {
    std::array<std::uint8_t, 64> raw{};
    raw[0] = 0x80;   // r: would be negative without a zero in front
    raw[63] = 0x05;  // s: five
    const DerSignature der = der_signature(raw);
    ASSERT_EQ(der.size, 2U + 2 + 33 + 2 + 1);
    const std::array<std::uint8_t, 6> begin = {0x30, 38, 0x02, 33, 0x00, 0x80};
    EXPECT_TRUE(std::equal(begin.begin(), begin.end(), der.bytes.begin()));
    const std::array<std::uint8_t, 3> end = {0x02, 1, 0x05};
    EXPECT_TRUE(std::equal(end.begin(), end.end(), der.bytes.begin() + 37));
}

}  // namespace
}  // namespace stator::esp32
