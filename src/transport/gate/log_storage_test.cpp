// What a sync or a retirement that lasts holds up, and what not.
#include "transport/gate/log_storage.h"

#include "store/log/reader.h"
#include "world/clock/virtual.h"
#include "world/disk/simulated.h"
#include "world/journal/recorded.h"

#include <gtest/gtest.h>

namespace stator::gate {

namespace {

// A disk that is busy: what is begun does not end by itself.
class Stuck final : public Runner {
  public:
    void start(std::function<void()> job) override { job_ = std::move(job); }

    [[nodiscard]] bool done() override { return job_ == nullptr; }

    void finish() { std::exchange(job_, nullptr)(); }

  private:
    std::function<void()> job_;
};

class LogStorageTest : public testing::Test {
  protected:
    void SetUp() override {
        ASSERT_TRUE(disk.make_directories("/log"));
        log::Budgets budgets;
        budgets.telemetry = {
            .bytes = budget_bytes,
            .segment_bytes = segment_bytes,
            .reserved = false,
            .gathered_bytes = 4096
        };
        auto opened =
            LogStorage::open(disk, clock, journal, {runner, retirements}, "/log", budgets);
        ASSERT_TRUE(opened) << opened.error().what;
        storage = std::move(*opened);
        reader = *log::Reader::open(disk, "/log", log::Class::telemetry, {});
    }

    void append(std::string_view payload) {
        const log::RecordView record{
            clock.unix_ms(), log::Identity::certificate, "t", "7", payload
        };
        ASSERT_TRUE(storage->append(log::Class::telemetry, record, nullptr));
    }

    std::vector<std::string> given() {
        std::vector<std::string> payloads;
        const auto records = reader->take(100);
        for (const log::Record& record : records.value())
            payloads.push_back(record.payload);
        return payloads;
    }

    void sync() {
        storage->begin_sync();
        runner.finish();
        ASSERT_EQ(storage->poll_sync(), Sync::done);
    }

    // Until the budget has no room for another segment.
    void fill() {
        while (bytes() <= budget_bytes - segment_bytes) {
            append(std::string(1000, 'x'));
            sync();
        }
    }

    [[nodiscard]] std::uint64_t bytes() const {
        return storage->writer().bytes(log::Class::telemetry);
    }

    [[nodiscard]] std::size_t files_there() { return disk.list("/log/telemetry")->size(); }

    static constexpr std::uint64_t segment_bytes = 8192;
    static constexpr std::uint64_t budget_bytes = 4 * segment_bytes;

    using Payloads = std::vector<std::string>;

    disk::SimulatedDisk disk;
    clock::VirtualClock clock{1'700'000'000'000};
    journal::RecordedJournal journal;
    Stuck runner;
    Stuck retirements;
    std::unique_ptr<LogStorage> storage;
    std::unique_ptr<log::Reader> reader;
};

TEST_F(LogStorageTest, gives_readers_a_message_that_comes_alone_at_once) {
    clock.wait_us(10'000);
    append("alone");
    EXPECT_FALSE(storage->behind());
    EXPECT_EQ(given(), Payloads{"alone"});
}

TEST_F(LogStorageTest, says_that_readers_wait_and_gives_them_all_while_a_sync_runs) {
    clock.wait_us(10'000);
    append("first");
    storage->begin_sync();
    append("second");
    append("third");
    EXPECT_EQ(storage->poll_sync(), Sync::running);
    EXPECT_TRUE(storage->behind()) << "whoever sleeps now must be woken for it";
    EXPECT_EQ(given(), Payloads{"first"});
    clock.wait_us(2'000);
    EXPECT_EQ(storage->poll_sync(), Sync::running);
    EXPECT_FALSE(storage->behind());
    EXPECT_EQ(given(), (Payloads{"second", "third"}));
    runner.finish();
    EXPECT_EQ(storage->poll_sync(), Sync::done);
}

TEST_F(LogStorageTest, begins_a_sync_with_all_that_was_gathered) {
    clock.wait_us(10'000);
    append("first");
    append("second");
    EXPECT_TRUE(storage->behind());
    storage->begin_sync();
    EXPECT_FALSE(storage->behind());
    EXPECT_EQ(given(), (Payloads{"first", "second"}));
}

TEST_F(LogStorageTest, goes_on_while_the_oldest_is_let_go_of) {
    fill();
    const std::uint64_t before = bytes();
    const std::size_t files = files_there();
    storage->maintain();
    ASSERT_FALSE(retirements.done());
    storage->maintain();  // a second later: one at a time
    EXPECT_EQ(files_there(), files) << "there until the disk has done it";
    EXPECT_LT(bytes(), before) << "but not counted";
    while (bytes() <= budget_bytes - segment_bytes)
        append(std::string(1000, 'y'));
    sync();
    const std::size_t more = files_there();
    EXPECT_GT(more, files) << "a new segment was begun meanwhile";
    retirements.finish();
    EXPECT_EQ(storage->poll_sync(), Sync::idle);
    EXPECT_LT(files_there(), more);
    EXPECT_TRUE(journal.lines().empty()) << journal.text();
}

TEST_F(LogStorageTest, opens_the_log_again_only_when_nothing_is_removed_any_more) {
    fill();
    append("one more");
    storage->maintain();
    ASSERT_FALSE(retirements.done());
    disk.fail_syncs(true);
    storage->begin_sync();
    runner.finish();
    ASSERT_EQ(storage->poll_sync(), Sync::failed);
    disk.fail_syncs(false);
    clock.wait_us(2'000'000);
    const log::RecordView record{clock.unix_ms(), log::Identity::certificate, "t", "7", "late"};
    EXPECT_FALSE(storage->append(log::Class::telemetry, record, nullptr));
    retirements.finish();
    EXPECT_TRUE(storage->append(log::Class::telemetry, record, nullptr));
}

TEST_F(LogStorageTest, opens_the_log_again_when_a_removal_could_not_be_synced) {
    fill();
    storage->maintain();
    disk.fail_syncs(true);
    retirements.finish();
    EXPECT_EQ(storage->poll_sync(), Sync::idle);
    disk.fail_syncs(false);
    EXPECT_TRUE(journal.told("opened again")) << journal.text();
    clock.wait_us(2'000'000);
    append("goes on");
    sync();
}

}  // namespace

}  // namespace stator::gate
