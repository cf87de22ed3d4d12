#include "transport/gate/log_storage.h"

#include <utility>

namespace stator::gate {

namespace {

constexpr std::string_view tag = "gate";
constexpr std::int64_t reopen_us = 1'000'000;
constexpr std::int64_t hand_over_us = 2'000;  // what comes in between is written together

}  // namespace

LogStorage::LogStorage(
    disk::Disk& disk,
    clock::Clock& clock,
    journal::Journal& journal,
    Runners runners,
    std::string directory,
    log::Budgets budgets
)
    : disk_{disk},
      clock_{clock},
      journal_{journal},
      runners_{runners},
      directory_{std::move(directory)},
      budgets_{std::move(budgets)} {}

LogStorage::~LogStorage() = default;

Outcome<std::unique_ptr<LogStorage>> LogStorage::open(
    disk::Disk& disk,
    clock::Clock& clock,
    journal::Journal& journal,
    Runners runners,
    std::string directory,
    log::Budgets budgets
) {
    std::unique_ptr<LogStorage> storage{
        new LogStorage{disk, clock, journal, runners, std::move(directory), std::move(budgets)}
    };
    if (auto opened = storage->reopen(); !opened) return std::unexpected{opened.error()};
    return storage;
}

Outcome<void> LogStorage::reopen() {
    opened_us_ = clock_.monotonic_us();
    writer_.reset();
    auto writer = log::Writer::open(disk_, clock_, directory_, budgets_);
    if (!writer) return std::unexpected{writer.error()};
    writer_ = std::move(*writer);
    for (const std::string& note : writer_->repair_report().notes)
        journal_.warn(tag, note);
    return {};
}

Outcome<void> LogStorage::append(
    log::Class log_class, const log::RecordView& record, const Mark* mark
) {
    if (writer_ == nullptr) {
        finish_retirement();
        if (syncing_ || retirement_ || clock_.monotonic_us() - opened_us_ < reopen_us)
            return fail(base::Fault::io, directory_ + ": a sync failed; the log is opened again");
        if (auto opened = reopen(); !opened) return opened;
    }
    std::optional<log::Mark> kept;
    if (mark != nullptr) kept = log::Mark{mark->boot, mark->seq};
    const auto appended = writer_->append(log_class, record, kept);
    if (appended) {
        hand_over();  // a message that comes alone is with its readers before it is acknowledged
        return {};
    }
    // With a sync under way its end says so.
    if (writer_->broken() && !syncing_) give_up_writer(appended.error().what);
    return std::unexpected{appended.error()};
}

void LogStorage::give_up_writer(std::string_view why) {
    journal_.error(tag, why);
    writer_.reset();
    opened_us_ = clock_.monotonic_us();
}

void LogStorage::hand_over() {
    if (!behind()) return;
    const std::int64_t now_us = clock_.monotonic_us();
    if (now_us - handed_over_us_ < hand_over_us) return;
    handed_over_us_ = now_us;
    if (auto done = writer_->hand_over(); !done && !syncing_) give_up_writer(done.error().what);
}

void LogStorage::begin_sync() {
    syncing_ = true;
    result_.reset();
    plan_ = writer_ == nullptr ? std::nullopt : writer_->begin_sync();
    if (!plan_) return;
    runners_.syncs.start([this] { result_ = plan_->run(disk_); });
}

Sync LogStorage::poll_sync() {
    hand_over();
    finish_retirement();
    if (!syncing_) return Sync::idle;
    if (plan_ && !runners_.syncs.done()) return Sync::running;
    syncing_ = false;
    if (!plan_) {
        if (writer_ != nullptr && !writer_->broken()) return Sync::done;
        if (writer_ != nullptr) give_up_writer(directory_ + ": the log must be opened again");
        return Sync::failed;
    }
    const Outcome<void> finished = writer_->finish_sync(*plan_, *result_);
    plan_.reset();
    if (finished) return Sync::done;
    give_up_writer(finished.error().what);
    return Sync::failed;
}

std::vector<Mark> LogStorage::marks() {
    std::vector<Mark> all;
    if (writer_ == nullptr) return all;
    for (const auto& [sender, mark] : writer_->synced_marks())
        all.push_back({sender, static_cast<std::uint32_t>(mark.boot), mark.seq});
    return all;
}

double LogStorage::fill(log::Class log_class) {
    return writer_ == nullptr ? 1.0 : writer_->fill(log_class);
}

void LogStorage::maintain() {
    finish_retirement();
    if (writer_ == nullptr || retirement_) return;
    auto begun = writer_->begin_retire();
    if (!begun) return journal_.error(tag, begun.error().what);
    retirement_ = std::move(*begun);
    if (!retirement_) return;
    retired_.reset();
    runners_.retirements.start([this] { retired_ = retirement_->run(disk_); });
    finish_retirement();
}

// Of a writer that was given up meanwhile, too: it is opened again when nothing is removed any
// more.
void LogStorage::finish_retirement() {
    if (!retirement_ || !runners_.retirements.done()) return;
    const auto plan = std::exchange(retirement_, std::nullopt);
    if (writer_ == nullptr) return;
    const auto done = writer_->finish_retire(*plan, *retired_);
    if (done) return;
    journal_.error(tag, done.error().what);
    if (writer_->broken() && !syncing_) give_up_writer(directory_ + ": the log is opened again");
}

}  // namespace stator::gate
