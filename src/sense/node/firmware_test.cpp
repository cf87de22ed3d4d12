#include "sense/hal/trust_conformance.h"
#include "sense/node/firmware_bank.h"
#include "sense/node/node_fixture_test.h"

#include <cstdio>

namespace stator::node {
namespace {

constexpr const char* file_name = "2.bin";

void fake_sha256(std::span<const std::byte> bytes, std::span<std::uint8_t, 32> digest) {
    fake::Verifier verifier;
    verifier.sha256(bytes, digest);
}

struct Program {
    std::uint32_t release = 2;
    std::size_t bytes = 9'001;  // three sectors with its header
    const char* board = "fake-board";
    bool is_signed = true;
};

std::string file_of(const Program& program) {
    std::string image(program.bytes, '\0');
    for (std::size_t i = 0; i < image.size(); ++i)
        image[i] = static_cast<char>(i * program.release);
    firmware::Header header;
    header.release = program.release;
    header.image_bytes = static_cast<std::uint32_t>(image.size());
    header.board = program.board;
    header.version = "0.2.0";
    fake_sha256(std::as_bytes(std::span{image}), header.sha256);
    std::string head(firmware::header_bytes, '\0');
    const auto bytes = std::as_writable_bytes(std::span{head});
    firmware::compose(header, bytes);
    if (program.is_signed)
        header.signature = fake::Verifier::sign(std::string_view{head}.substr(0, 96));
    firmware::compose(header, bytes);
    return head + image;
}

// The device with its boot stage: a restart goes through it, a power cut ends the step.
class FirmwareTest : public NodeTest {
  protected:
    FirmwareTest() {
        const std::string file = file_of({.release = 1});
        FirmwareBank bank{memory()};  // the factory writes slot 0 of a blank flash
        std::string padded = file;
        padded.resize((padded.size() + 3) / 4 * 4, '\xFF');
        EXPECT_TRUE(memory().program(2 * 4096, std::as_bytes(std::span{padded})));
        memory().operations = 0;
        asset_.mode = asset::Mode::observe;
    }

    fake::Flash& memory() { return machine_.firmware.memory; }

    void power_on() {
        machine_.firmware.restarts = 0;
        FirmwareBank bank{memory()};
        choice_ = choose_firmware(bank, fake_sha256);
        ASSERT_TRUE(choice_.found);
        runs_ = 0;
        if (memory().off) return;
        FirmwareBank after{memory()};
        ASSERT_TRUE(after.whole(choice_.slot, fake_sha256));
        const auto header = after.header(choice_.slot);
        ASSERT_TRUE(header);
        ASSERT_EQ(choice_.slot, after.state().running_slot());
        runs_ = header->release;
        boot();
    }

    void live(int milliseconds) {
        for (int i = 0; i < milliseconds && !memory().off; i += 10) {
            if (machine_.firmware.restarts > 0) power_on();
            if (memory().off) return;
            machine_.time.now_us += 10'000;
            node_->step();
            if (stored_) mark(node_->status().seq);
        }
    }

    void serve(const std::string& file) {
        machine_.fetch.files["/OTA_bin/" + std::string{file_name}] = file;
    }

    void order_firmware(const std::string& name = file_name) {
        machine_.link.deliver(
            "stator/devices/7/command", R"({"command":"update-firmware","payload":")" + name + "\"}"
        );
    }

    FirmwareState kept() { return FirmwareBank{memory()}.state(); }

    BootChoice choice_;
    std::uint32_t runs_ = 0;
    bool stored_ = false;
};

TEST_F(FirmwareTest, ANewFirmwareComesIsTriedAndConfirmsItself) {
    power_on();
    EXPECT_EQ(runs_, 1U);
    serve(file_of({}));
    order_firmware();
    live(20'000);
    EXPECT_EQ(told("firmware"), "downloading downloaded updating trial confirmed");
    EXPECT_EQ(runs_, 2U);
    EXPECT_EQ(node_->status().boot, 2U);  // one restart, and no other
    EXPECT_EQ(kept().release, 2U);
    power_on();
    EXPECT_EQ(runs_, 2U);
    EXPECT_FALSE(choice_.trial);
    order_firmware();
    live(2'000);
    EXPECT_EQ(told("firmware"), "confirmed");  // told again, answered again
    serve(file_of({.release = 3}));
    order_firmware();
    live(20'000);
    EXPECT_EQ(runs_, 3U);  // and back into the first slot
    EXPECT_EQ(choice_.slot, 0U);
}

TEST_F(FirmwareTest, WhatMayNotRunIsRefusedWithItsReasonAndNothingIsRestarted) {
    power_on();
    const auto refused = [&](const std::string& file, const std::string& reason) {
        serve(file);
        order_firmware();
        live(12'000);
        const std::string all = told("firmware");
        EXPECT_NE(all.find("refused/" + reason), std::string::npos) << reason << ": " << all;
        EXPECT_EQ(node_->status().firmware, FirmwareUpdate::idle);
        EXPECT_EQ(node_->status().boot, 1U);
        EXPECT_EQ(kept().trial, FirmwareTrial::none);
    };
    const std::string good = file_of({});
    refused(file_of({.is_signed = false}), "the signature does not verify");
    std::string changed = good;
    changed[8] = 9;  // its release
    refused(changed, "the signature does not verify");
    refused(file_of({.release = 1, .bytes = 5'000}), "its release does not rise");
    refused(good.substr(0, good.size() - 64), "its size is not what its header says");
    refused(good.substr(0, 100), "it is no firmware image");
    refused(good.substr(firmware::header_bytes), "it is no firmware image");
    changed = good;
    changed[changed.size() / 2] = static_cast<char>(changed[changed.size() / 2] ^ 1);
    refused(changed, "the file's hash is not its header's");
    refused(file_of({.bytes = 4 * 4096 - 255}), "it is larger than its slot");
    refused(file_of({.board = "other-board"}), "it is for another board");
    machine_.fetch.files.clear();
    order_firmware("missing.bin");
    live(2'000);
    EXPECT_EQ(told("firmware"), "refused/the registry does not have it");
    order_firmware("../2.bin");
    order_firmware("a-model.tflite");
    live(2'000);
    EXPECT_EQ(told("firmware"), "refused/not the name of a firmware image");
    machine_.fetch.fails = 8;
    refused(good, "the download broke off too often");
    serve(file_of({.bytes = 4 * 4096 - 256}));  // what fills the slot to its end is taken
    order_firmware();
    live(20'000);
    EXPECT_EQ(runs_, 2U);
}

TEST_F(FirmwareTest, AModelThatIsOrderedDuringTheDownloadWaitsForItsEnd) {
    machine_.fetch.patience = 3;
    power_on();
    offer({});
    std::string damaged = file_of({});  // refused at its end: no restart forgets the model
    damaged.back() = static_cast<char>(damaged.back() ^ 1);
    serve(damaged);
    order_firmware();
    while (node_->status().firmware != FirmwareUpdate::loading)
        live(10);
    order(first_name);
    live(20'000);
    EXPECT_EQ(
        told("firmware"), "downloading downloaded refused/the file's hash is not its header's"
    );
    EXPECT_EQ(node_->status().model, first_name);
}

TEST_F(FirmwareTest, AFirmwareThatIsOrderedDuringAModelsDownloadWaitsForItsEnd) {
    machine_.fetch.patience = 3;
    power_on();
    offer({});
    serve(file_of({}));
    order(first_name);
    while (node_->status().update != UpdateState::loading)
        live(10);
    order_firmware();
    live(30'000);
    EXPECT_EQ(runs_, 2U);
    EXPECT_EQ(node_->status().model, first_name);
}

TEST_F(FirmwareTest, ABroadcastRestartsNoDevice) {
    power_on();
    serve(file_of({}));
    machine_.link.deliver("control-message", R"({"command":"update-firmware","payload":"2.bin"})");
    live(10'000);
    EXPECT_EQ(told("firmware"), "");
    EXPECT_EQ(runs_, 1U);
}

TEST_F(FirmwareTest, ADownloadGoesOnWhereItBrokeOff) {
    config_.chunk_bytes = 100;  // the header comes in three
    power_on();
    const std::string file = file_of({});
    serve(file);
    order_firmware();
    live(300);
    machine_.fetch.fails = 3;
    live(30'000);
    EXPECT_EQ(told("firmware"), "downloading downloaded updating trial confirmed");
    EXPECT_EQ(runs_, 2U);
    // No byte is asked for twice, but those behind the header's end in its last piece.
    EXPECT_LE(machine_.fetch.bytes_served, file.size() + 100);
}

TEST_F(FirmwareTest, AFirmwareThatCannotReachTheSiteGoesBackAtItsDeadline) {
    config_.trial_ms_max = 3'000;
    power_on();
    serve(file_of({}));
    order_firmware();
    while (runs_ != 2)
        live(10);
    machine_.link.acknowledges = false;
    machine_.link.window = 10'000;
    live(2'000);
    EXPECT_EQ(runs_, 2U);
    live(1'500);
    EXPECT_EQ(runs_, 1U);
    EXPECT_EQ(kept().release, 1U);
    machine_.link.acknowledges = true;
    machine_.link.lose();
    machine_.link.connect();
    live(2'000);
    const std::string all = told("firmware");
    EXPECT_TRUE(all.ends_with("refused/its trial ended without a confirmation")) << all;
    power_on();
    live(2'000);
    EXPECT_EQ(told("firmware"), "");  // it was told, and heard
    order_firmware();                 // and it may come again
    live(20'000);
    EXPECT_EQ(runs_, 2U);
}

TEST_F(FirmwareTest, AFirmwareThatIsResetBeforeItConfirmedGoesBack) {
    power_on();
    serve(file_of({}));
    order_firmware();
    while (runs_ != 2)
        live(10);
    power_on();
    EXPECT_EQ(runs_, 1U);
    live(1'000);
    const std::string all = told("firmware");
    EXPECT_TRUE(all.ends_with("refused/its trial ended without a confirmation")) << all;
}

TEST_F(FirmwareTest, APendingImageThatIsDamagedIsNotRun) {
    power_on();
    serve(file_of({}));
    order_firmware();
    while (kept().trial != FirmwareTrial::pending)
        live(10);
    memory().bytes[(2 + 4) * 4096 + 700] ^= std::byte{4};
    power_on();
    EXPECT_EQ(runs_, 1U);
    live(1'000);
    EXPECT_NE(told("firmware").find("refused/the boot stage found it damaged"), std::string::npos);
}

TEST_F(FirmwareTest, WhenTheConfirmedImageRotsTheOtherRunsAndTheReleaseToExceedStays) {
    power_on();
    serve(file_of({}));
    order_firmware();
    live(20'000);
    ASSERT_EQ(runs_, 2U);
    memory().bytes[(2 + 4) * 4096 + 700] ^= std::byte{4};
    power_on();
    EXPECT_EQ(runs_, 1U);
    EXPECT_EQ(kept().release, 2U);
    static_cast<void>(told("firmware"));
    order_firmware();  // of release 2: it does not rise
    live(3'000);
    EXPECT_EQ(told("firmware"), "refused/its release does not rise");
    serve(file_of({.release = 3}));
    order_firmware();
    live(20'000);
    EXPECT_EQ(runs_, 3U);
}

TEST_F(FirmwareTest, WithoutAnyWholeImageTheBootStageSaysSo) {
    memory().bytes[2 * 4096 + 700] ^= std::byte{4};
    FirmwareBank bank{memory()};
    EXPECT_FALSE(choose_firmware(bank, fake_sha256).found);
}

TEST_F(FirmwareTest, TheRestartWaitsUntilEveryReadingTakenIsStored) {
    power_on();
    stored_ = true;
    live(1'000);
    serve(file_of({}));
    order_firmware();
    while (machine_.firmware.restarts == 0)
        live(10);
    EXPECT_EQ(node_->status().waiting, 0U);
    EXPECT_EQ(node_->status().shed, 0U);
}

TEST_F(FirmwareTest, TheRestartWaitsForTheBackupToBeAtRest) {
    asset_.mode = asset::Mode::act;
    power_on();
    live(1'000);
    machine_.link.deliver("stator/devices/7/command", R"({"command":"backup-on","payload":"c1"})");
    live(500);
    ASSERT_NE(node_->status().actor, ActorState::idle);
    serve(file_of({}));
    order_firmware();
    live(3'000);
    EXPECT_EQ(node_->status().firmware, FirmwareUpdate::leaving);
    EXPECT_EQ(machine_.firmware.restarts, 0);
    const auto readings = node_->status().readings;
    live(500);
    EXPECT_GT(node_->status().readings, readings);  // and the machine is watched meanwhile
    machine_.link.deliver("stator/devices/7/command", R"({"command":"backup-off","payload":"c1"})");
    live(20'000);
    EXPECT_EQ(runs_, 2U);
}

TEST_F(FirmwareTest, APortWithoutSlotsSaysThatItTakesNone) {
    machine_.time.now_us += 1'000'000;
    machine_.link.connect();
    hal::Hal hal = machine_.hal();
    hal.firmware = nullptr;
    node_.emplace(
        hal,
        asset_,
        config_,
        Memory{readings_, events_, {std::span{arena_[0]}, std::span{arena_[1]}}, envelope_, counts_}
    );
    order_firmware();
    run(1'000);
    EXPECT_EQ(told("firmware"), "refused/this device's firmware does not come over the air");
}

TEST(FakeFirmware, DoesWhatEveryFirmwareMust) {
    fake::Firmware firmware;
    EXPECT_EQ(hal::check_firmware(firmware), "");
}

// The sweep of issue C for the program: the power goes at every flash operation of an update, the
// boot stage's and the confirmation among them, before, inside and after its bytes. What boots is
// whole and signed, the release that must be exceeded never falls, and the update succeeds later.
class FirmwareSweep : public FirmwareTest {
  protected:
    void start_over(const std::vector<std::byte>& before) {
        memory().restart();
        memory().bytes = before;
        machine_.flash.bytes.assign(machine_.flash.bytes.size(), std::byte{0xFF});
        machine_.firmware.restarts = 0;
        machine_.link.sent.clear();
        looked_ = 0;
        power_on();
        live(100);
    }

    // After a cut, and perhaps another in what the boot stage writes then.
    void hold(std::uint32_t& floor) {
        memory().restart();
        power_on();
        ASSERT_TRUE(runs_ == 1 || runs_ == 2) << runs_;
        const auto header = FirmwareBank{memory()}.header(choice_.slot);
        const std::string head{
            reinterpret_cast<const char*>(&memory().bytes[(2 + 4 * choice_.slot) * 4096]), 96
        };
        ASSERT_EQ(fake::Verifier::sign(head), header->signature);
        ASSERT_GE(kept().release, floor);
        ASSERT_TRUE(choice_.trial || runs_ == kept().release);
        floor = kept().release;
    }

    void sweep(std::uint32_t records_before, std::span<const std::size_t> torn_bytes) {
        FirmwareBank bank{memory()};
        for (std::uint32_t i = 0; i < records_before; ++i)
            ASSERT_TRUE(bank.append({.slot = 0, .release = 1}));
        const auto before = memory().bytes;
        serve(file_of({}));
        start_over(before);
        const auto first = memory().operations;
        order_firmware();
        live(20'000);
        ASSERT_EQ(runs_, 2U);
        const auto operations = memory().operations - first;
        int cuts = 0;
        int old_ones = 0;
        for (std::uint64_t cut = 0; cut < operations; ++cut) {
            for (const std::size_t torn : torn_bytes) {
                SCOPED_TRACE(testing::Message() << "operation " << cut << ", torn at " << torn);
                start_over(before);
                memory().cut_power_at(memory().operations + cut, torn);
                order_firmware();
                live(20'000);
                ASSERT_TRUE(memory().off);
                ++cuts;
                std::uint32_t floor = 1;
                // The next start is cut in the boot stage's own record, if it writes one.
                memory().restart();
                memory().cut_power_at(memory().operations, torn % 33);
                power_on();
                cuts += memory().off ? 1 : 0;
                ASSERT_NO_FATAL_FAILURE(hold(floor));
                old_ones += runs_ == 1 ? 1 : 0;
                live(3'000);
                if (kept().release == 1) order_firmware();
                live(20'000);
                ASSERT_EQ(runs_, 2U);
                ASSERT_EQ(kept().release, 2U);
                ASSERT_NO_FATAL_FAILURE(hold(floor));
                ASSERT_EQ(runs_, 2U);
            }
        }
        EXPECT_GE(cuts, static_cast<int>(operations * torn_bytes.size()));
        EXPECT_GT(old_ones, 20);
        std::printf(
            "%llu flash operations, %d cuts (%u records before)\n",
            static_cast<unsigned long long>(operations),
            cuts,
            records_before
        );
    }
};

TEST_F(FirmwareSweep, APowerCutAtAnyFlashOperationOfAnUpdateLeavesAValidFirmware) {
    std::vector<std::size_t> torn;
    for (std::size_t i = 0; i <= record_bytes; ++i)
        torn.push_back(i);
    for (const std::size_t more : {64U, 96U, 160U, 255U, 256U, 1'000U, 2'047U, 4'095U, 99'999U})
        torn.push_back(more);
    sweep(0, torn);
}

// The log's sector is full, and the other one erased, at each of the records of an update.
TEST_F(FirmwareSweep, ThatHoldsWhileTheLogChangesItsSector) {
    constexpr std::array<std::size_t, 6> torn = {0, 1, 16, 31, 32, 4'000};
    const auto factory = memory().bytes;
    for (const std::uint32_t records : {125U, 126U, 127U, 128U}) {
        memory().restart();
        memory().bytes = factory;
        sweep(records, torn);
    }
}

}  // namespace
}  // namespace stator::node
