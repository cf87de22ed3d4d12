// A model update of the node on the host's flash, a file, with the power cut at every operation of
// its disk.
#include "sense/port/host/file_flash.h"

#include "sense/node/node_fixture_test.h"
#include "world/disk/simulated.h"

#include <cstdio>
#include <memory>
#include <optional>
#include <string>

namespace stator::node {
namespace {

using disk::SimulatedDisk;
using disk::Survival;
using host::FileFlash;

constexpr const char* path = "/d/flash.bin";
constexpr std::size_t flash_bytes = 64 * FileFlash::sector_size;

class FileFlashSweep : public NodeTest {
  protected:
    // A disk that holds this flash and nothing else, all of it synced.
    void start_over(const std::string& content, std::uint64_t seed) {
        node_.reset();
        flash_.reset();
        disk_ = std::make_unique<SimulatedDisk>(seed);
        ASSERT_TRUE(disk_->make_directories("/d"));
        if (!content.empty()) {
            ASSERT_TRUE(disk_->replace(path, content));
        }
        power_on();
    }

    void power_on() {
        node_.reset();
        flash_.reset();
        auto opened = FileFlash::open(*disk_, path, flash_bytes);
        ASSERT_TRUE(opened) << opened.error().what;
        flash_ = *std::move(opened);
        machine_.own_flash = flash_.get();
        boot();
        run(100);
    }

    void update_to(const char* name) {
        order(name);
        for (int i = 0; i < 40 && !disk_->power_is_off(); ++i) {
            run(100);
            if (node_->status().model == name && node_->status().update == UpdateState::idle) break;
        }
    }

    // The power goes again in what the next start writes: its count. Then it stays.
    void hold(Survival survival, std::uint64_t again) {
        disk_->restart(survival);
        disk_->cut_power_before(disk_->operations() + again % 6);
        auto opened = FileFlash::open(*disk_, path, flash_bytes);
        if (opened) {
            node_.reset();
            flash_ = *std::move(opened);
            machine_.own_flash = flash_.get();
            boot();
            run(100);
        }
        if (disk_->power_is_off()) ++cuts_;
        disk_->restart(survival);
        disk_->cut_power_before(SimulatedDisk::never);
        ASSERT_NO_FATAL_FAILURE(power_on());
        const auto status = node_->status();
        ASSERT_GT(status.boot, boot_before_);
        const bool old_model = status.model == first_name && status.release == 2;
        const bool new_model = status.model == second_name && status.release == 3;
        ASSERT_TRUE(old_model || new_model) << status.model;
        old_ones_ += old_model ? 1 : 0;
        new_ones_ += new_model ? 1 : 0;
    }

    std::unique_ptr<SimulatedDisk> disk_;
    std::unique_ptr<FileFlash> flash_;
    std::uint32_t boot_before_ = 0;
    int cuts_ = 0;
    int old_ones_ = 0;
    int new_ones_ = 0;
};

// What was not synced is gone, all there, or there up to any byte of it: the last with many seeds.
TEST_F(FileFlashSweep, APowerCutAtAnyOperationOfTheDiskLeavesAValidModel) {
    give_factory_model({.name = "2026-11-22-03:00:00-model.tflite"});
    ASSERT_NO_FATAL_FAILURE(start_over("", 1));
    offer({.release = 2});
    update_to(first_name);
    ASSERT_EQ(node_->status().model, first_name);
    boot_before_ = node_->status().boot;
    const auto content = disk_->read_all(path, flash_bytes);
    ASSERT_TRUE(content);
    offer({.name = second_name, .release = 3});
    ASSERT_NO_FATAL_FAILURE(start_over(*content, 1));
    const auto first = disk_->operations();
    update_to(second_name);
    ASSERT_EQ(node_->status().model, second_name);
    const auto operations = disk_->operations() - first;
    for (std::uint64_t cut = 0; cut < operations; ++cut) {
        constexpr std::uint64_t seeds = 24;  // of the random survival; the two others need one
        for (std::uint64_t seed = 0; seed < seeds + 2; ++seed) {
            const auto survival = seed == 0   ? Survival::none
                                  : seed == 1 ? Survival::all
                                              : Survival::random;
            SCOPED_TRACE(testing::Message() << "operation " << cut << ", seed " << seed);
            ASSERT_NO_FATAL_FAILURE(start_over(*content, seed + 1));
            disk_->cut_power_before(disk_->operations() + cut);
            update_to(second_name);
            ASSERT_TRUE(disk_->power_is_off());
            ++cuts_;
            ASSERT_NO_FATAL_FAILURE(hold(survival, cut + seed));
            update_to(second_name);
            ASSERT_EQ(node_->status().model, second_name);
            ASSERT_EQ(node_->status().release, 3U);
        }
    }
    EXPECT_GE(cuts_, static_cast<int>(operations) * 26);
    EXPECT_GT(old_ones_, 200);
    EXPECT_GT(new_ones_, 0);
    RecordProperty("cut_points", cuts_);
    std::printf(
        "%llu operations of the disk, %d cuts: %d old models, %d new ones\n",
        static_cast<unsigned long long>(operations),
        cuts_,
        old_ones_,
        new_ones_
    );
}

}  // namespace
}  // namespace stator::node
