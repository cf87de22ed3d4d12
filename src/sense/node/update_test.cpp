#include "sense/node/node_fixture_test.h"

namespace stator::node {
namespace {

constexpr const char* factory_name = "2026-11-22-03:00:00-model.tflite";

TEST_F(NodeTest, AModelComesIsTriedAndConfirmedWithoutARestart) {
    offer({});
    order(first_name);
    run(4'000);
    EXPECT_EQ(told("model"), "downloading downloaded trial confirmed");
    EXPECT_EQ(node_->status().model, first_name);
    EXPECT_EQ(node_->status().release, 1U);
    offer({.name = second_name, .release = 2, .bias = -50.0F});
    order(second_name);
    run(4'000);
    EXPECT_EQ(told("model"), "downloading downloaded trial confirmed");
    EXPECT_EQ(node_->status().model, second_name);
    boot();  // the confirmed slot is found and verified again
    EXPECT_EQ(node_->status().model, second_name);
    EXPECT_EQ(node_->status().boot, 2U);
    order(second_name);
    run(500);
    EXPECT_EQ(told("model"), "confirmed");  // told again, answered again, nothing fetched
}

TEST_F(NodeTest, EveryBadModelIsRefusedWithItsReasonAndTheOldOneRunsOn) {
    offer({});
    order(first_name);
    run(4'000);
    ASSERT_EQ(told("model"), "downloading downloaded trial confirmed");
    const auto refused = [&](const std::string& reason) {
        order(second_name);
        run(10'000);
        const std::string all = told("model");
        EXPECT_NE(all.find("refused/" + reason), std::string::npos) << all;
        EXPECT_EQ(node_->status().model, first_name);
        EXPECT_EQ(node_->status().update, UpdateState::idle);
    };
    const Draft good{.name = second_name, .release = 2};
    std::string& manifest = machine_.fetch.files["/manifest/" + good.name];
    std::string& tflite = machine_.fetch.files["/quantized/" + good.name];
    offer(good);
    manifest[3] = manifest[3] == '0' ? '1' : '0';
    refused("the signature does not verify");
    offer({.name = second_name, .release = 1});
    refused("its release does not rise");
    const std::string other = "2026-11-23-05:00:00-model.tflite";
    offer({.name = other, .release = 2});
    manifest = machine_.fetch.files["/manifest/" + other];
    tflite = machine_.fetch.files["/quantized/" + other];
    refused("its manifest is of another model");
    offer(good);
    tflite[tflite.size() / 2] = static_cast<char>(tflite[tflite.size() / 2] ^ 1);
    refused("the file's hash is not its manifest's");
    offer(good);
    tflite.pop_back();
    refused("its size is not what the manifest says");
    offer({.name = second_name, .release = 2, .golden_shift = 0.1F});
    refused("its golden sequence gives another result here");
    offer(good);
    manifest.resize(100);
    refused("the manifest's envelope cannot be read");
    offer(good);
    manifest += std::string(5000, ' ');
    refused("the manifest is larger than this device can hold");
    offer(good);
    machine_.fetch.files.erase("/quantized/" + good.name);
    refused("the registry does not have it");
    offer(good);
    machine_.fetch.fails = 8;
    refused("the download broke off too often");
    offer(good);
    order(second_name);
    run(4'000);
    EXPECT_EQ(node_->status().model, second_name);
}

TEST_F(NodeTest, AModelForAnotherClassOrLevelIsIgnoredInSilence) {
    offer({.device_class = "lathe"});
    order(first_name);
    run(2'000);
    offer({.level = 2});
    order(first_name);
    run(2'000);
    EXPECT_EQ(told("model"), "");
    EXPECT_EQ(machine_.flash.operations, 2U);  // the boot, the activation
}

TEST_F(NodeTest, ADownloadGoesOnWhereItBrokeOff) {
    config_.chunk_bytes = 64;
    offer({});
    machine_.fetch.patience = 1;
    order(first_name);
    run(300);
    machine_.fetch.fails = 3;
    run(6'000);
    EXPECT_EQ(told("model"), "downloading downloaded trial confirmed");
    EXPECT_EQ(
        machine_.fetch.bytes_served,
        machine_.fetch.files.begin()->second.size() + machine_.fetch.files.rbegin()->second.size()
    );
}

TEST_F(NodeTest, ATrialThatTheSiteNeverAcknowledgesEndsWithTheOldModel) {
    config_.trial_ms_max = 2'000;
    offer({});
    order(first_name);
    run(4'000);
    static_cast<void>(told("model"));
    offer({.name = second_name, .release = 2});
    machine_.link.acknowledges = false;
    machine_.link.window = 10'000;
    order(second_name);
    run(3'500);
    EXPECT_EQ(node_->status().model, first_name);
    machine_.link.lose();
    machine_.link.acknowledges = true;
    machine_.link.connect();
    run(2'000);
    EXPECT_NE(told("model").find("refused/its trial ran out of time"), std::string::npos);
}

TEST_F(NodeTest, WithoutACommittedModelTheFactorysRunsAndIsToldUntilAnotherIsCommitted) {
    give_factory_model({.name = factory_name});
    boot();
    EXPECT_EQ(node_->status().model, factory_name);
    run(1'000);
    EXPECT_EQ(told("model"), "factory/none is committed");
    level_ = 5;
    run(1'000);
    EXPECT_TRUE(node_->status().alarm);
    offer({.name = second_name, .release = 2});
    order(second_name);
    run(4'000);
    EXPECT_EQ(told("model"), "downloading downloaded trial confirmed");
    boot();
    run(1'000);
    EXPECT_EQ(node_->status().model, second_name);
    EXPECT_EQ(told("model"), "");
}

// Both slots, or the commit log too: whatever is lost, the factory's runs, and nothing older than
// what ran is taken; what ran itself may come again.
TEST_F(NodeTest, WithBothSlotsLostTheFactorysModelRunsAndTheRecordedReleaseStays) {
    give_factory_model({.name = factory_name});
    offer({.release = 5});
    order(first_name);
    run(4'000);
    ASSERT_EQ(node_->status().release, 5U);
    boot();  // the boot's record knows the release from now on
    static_cast<void>(told("model"));
    const auto whole = machine_.flash.bytes;
    const std::size_t sector = machine_.flash.sector_bytes();
    for (const std::size_t lost_from : {4 * sector, 2 * sector}) {
        machine_.flash.bytes = whole;
        std::ranges::fill(std::span{machine_.flash.bytes}.subspan(lost_from), std::byte{0xFF});
        boot();
        run(500);
        EXPECT_EQ(node_->status().model, factory_name);
        EXPECT_EQ(node_->status().release, 1U);
        EXPECT_EQ(
            told("model"),
            lost_from == 2 * sector ? "factory/none is committed"
                                    : "factory/the manifest is not signed"
        );
        boot();  // and a restart while it runs forgets nothing
        run(500);
        EXPECT_NE(told("model").find("factory/"), std::string::npos);
        offer({.name = second_name, .release = 4});
        order(second_name);
        run(4'000);
        EXPECT_EQ(told("model"), "downloading downloaded refused/its release does not rise");
        EXPECT_EQ(node_->status().model, factory_name);
        order(first_name);
        run(4'000);
        EXPECT_EQ(told("model"), "downloading downloaded trial confirmed");
        EXPECT_EQ(node_->status().release, 5U);
    }
}

TEST_F(NodeTest, ACommittedModelThatFailsItsCheckGivesWayToTheFactorys) {
    give_factory_model({.name = factory_name});
    offer({.release = 2});
    order(first_name);
    run(4'000);
    ASSERT_EQ(node_->status().model, first_name);
    const Slots slots{machine_.flash};
    const auto commit = slots.committed();
    ASSERT_TRUE(commit);
    const auto tflite = slots.tflite(commit->slot, commit->tflite_bytes);
    machine_.flash.bytes[static_cast<std::size_t>(tflite.data() - machine_.flash.bytes.data())] ^=
        std::byte{1};
    static_cast<void>(told("model"));
    boot();
    run(500);
    EXPECT_EQ(node_->status().model, factory_name);
    EXPECT_EQ(told("model"), "factory/the file's hash is not its manifest's");
}

TEST_F(NodeTest, AFactoryModelThatFailsItsCheckDoesNotRun) {
    give_factory_model({.name = factory_name});
    factory_tflite_[100] ^= 1;
    boot();
    run(500);
    EXPECT_EQ(node_->status().model, "");
    EXPECT_EQ(told("model"), "");
    give_factory_model({.name = factory_name, .device_class = "lathe"});
    boot();
    EXPECT_EQ(node_->status().model, "");
}

// The sweep of issue C: the power goes at every flash operation of an update, before, inside and
// after its bytes. What boots is a whole model, never one of an older release, nor the factory's.
TEST_F(NodeTest, APowerCutAtAnyFlashOperationOfAnUpdateLeavesAValidModel) {
    give_factory_model({.name = factory_name});
    offer({.release = 2});
    order(first_name);
    run(4'000);
    ASSERT_EQ(node_->status().model, first_name);
    offer({.name = second_name, .release = 3});
    const auto flash_before = machine_.flash.bytes;
    const auto operations_before = machine_.flash.operations;
    order(second_name);
    run(4'000);
    ASSERT_EQ(node_->status().model, second_name);
    const auto operations = machine_.flash.operations - operations_before;
    int cuts = 0;
    int old_models = 0;
    for (std::uint64_t cut = 0; cut < operations + 1; ++cut) {
        for (const std::size_t torn : {0U, 1U, 4U, 16U, 28U, 31U, 32U, 2'000U, 100'000U}) {
            machine_.flash.restart();
            machine_.flash.bytes = flash_before;
            boot();
            run(100);
            machine_.flash.cut_power_at(machine_.flash.operations + cut, torn);
            order(second_name);
            run(4'000);
            cuts += machine_.flash.off ? 1 : 0;
            machine_.flash.restart();
            boot();
            const auto status = node_->status();
            const bool old_model = status.model == first_name && status.release == 2;
            const bool new_model = status.model == second_name && status.release == 3;
            ASSERT_TRUE(old_model || new_model) << cut << ' ' << torn << ' ' << status.model;
            old_models += old_model ? 1 : 0;
            order(second_name);
            run(4'000);
            ASSERT_EQ(node_->status().model, second_name) << cut << ' ' << torn;
        }
    }
    EXPECT_EQ(cuts, static_cast<int>(operations) * 9);
    EXPECT_GT(old_models, 50);
    RecordProperty("cut_points", cuts);
    std::printf(
        "%llu flash operations, %d cuts\n", static_cast<unsigned long long>(operations), cuts
    );
}

}  // namespace
}  // namespace stator::node
