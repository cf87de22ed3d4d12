// LogStorage is the gate's Storage on the embedded log's writer.
//
// Syncs and retirements run through a Runner each: on a helper thread of the plugin, or at once in
// a simulation. After a failed sync the writer takes nothing more, for what the kernel then holds
// is unknown; LogStorage opens it again, at most once a second, and the marks fall back to what is
// on the disk. What the log gathers is handed over to its readers with append() and poll_sync(), a
// few milliseconds apart.
#pragma once

#include "store/log/writer.h"
#include "transport/gate/storage.h"
#include "world/clock/clock.h"
#include "world/disk/disk.h"
#include "world/journal/journal.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stator::gate {

class Runner {
  public:
    virtual ~Runner() = default;
    // One job at a time; what it did is visible once done() is true.
    virtual void start(std::function<void()> job) = 0;
    [[nodiscard]] virtual bool done() = 0;
};

struct Runners {
    Runner& syncs;
    Runner& retirements;
};

class RunAtOnce final : public Runner {
  public:
    void start(std::function<void()> job) override { job(); }

    [[nodiscard]] bool done() override { return true; }
};

class LogStorage final : public Storage {
  public:
    [[nodiscard]] static Outcome<std::unique_ptr<LogStorage>> open(
        disk::Disk& disk,
        clock::Clock& clock,
        journal::Journal& journal,
        Runners runners,
        std::string directory,
        log::Budgets budgets
    );
    ~LogStorage() override;
    LogStorage(const LogStorage&) = delete;
    LogStorage& operator=(const LogStorage&) = delete;

    [[nodiscard]] Outcome<void> append(
        log::Class log_class, const log::RecordView& record, const Mark* mark
    ) override;
    void begin_sync() override;
    [[nodiscard]] Sync poll_sync() override;
    [[nodiscard]] std::vector<Mark> marks() override;
    [[nodiscard]] double fill(log::Class log_class) override;
    void maintain() override;

    // Something is gathered that readers are given by a later append() or poll_sync() only.
    [[nodiscard]] bool behind() const { return writer_ != nullptr && writer_->gathered(); }

    [[nodiscard]] log::Writer& writer() { return *writer_; }

  private:
    LogStorage(
        disk::Disk& disk,
        clock::Clock& clock,
        journal::Journal& journal,
        Runners runners,
        std::string directory,
        log::Budgets budgets
    );
    [[nodiscard]] Outcome<void> reopen();
    void give_up_writer(std::string_view why);
    void hand_over();
    void finish_retirement();

    disk::Disk& disk_;
    clock::Clock& clock_;
    journal::Journal& journal_;
    Runners runners_;
    std::string directory_;
    log::Budgets budgets_;
    std::unique_ptr<log::Writer> writer_;  // null between a failed sync and the next open
    std::optional<log::SyncPlan> plan_;    // of the sync under way
    std::optional<Outcome<void>> result_;
    bool syncing_ = false;
    std::optional<log::RetirePlan> retirement_;  // under way
    std::optional<Outcome<void>> retired_;
    std::int64_t opened_us_ = 0;
    std::int64_t handed_over_us_ = 0;
};

}  // namespace stator::gate
