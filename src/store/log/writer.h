// The Writer is the one process's hand that appends to the log; the gate holds it.
//
// append() returns after one write(), or after a copy into mapped memory where the class gathers:
// the record survives a kill of this process. It survives a power cut once synced: begin_sync(),
// then SyncPlan::run() (on any thread), then finish_sync(). A mark (boot, seq of a sender) says
// "everything up to here is in the log"; it is synced together with all that was appended before
// it, in every class, and comes back after a restart. The caller passes a mark only when it is
// true: nothing below it is outstanding.
//
// At a class's byte budget the oldest segments go, but never what a required reader has not
// committed: then append() says Fault::full. Alarm and control have their space reserved on the
// disk, so they go on when it is full. One append: at most one write(), no heap after the first of
// a class.
// open() repairs what a power cut left: docs/formats/log.md.
#pragma once

#include "store/log/format.h"
#include "store/log/record.h"
#include "store/log/retirement.h"
#include "world/clock/clock.h"
#include "world/disk/disk.h"

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace stator::log {

struct Budget {
    std::uint64_t bytes = 0;          // all segments of the class
    std::uint64_t segment_bytes = 0;  // at least 4 segments make a budget
    bool reserved = false;            // the whole budget is allocated at open()
    // So much is gathered in mapped memory and written together; 0: each record by itself. Readers
    // wait for hand_over() then.
    std::uint64_t gathered_bytes = 0;
};

struct Budgets {
    Budget waveform{256U << 20U, 16U << 20U, false};
    Budget telemetry{1024U << 20U, 32U << 20U, false};
    Budget alarm{8U << 20U, 1U << 20U, true};
    Budget control{8U << 20U, 1U << 20U, true};
    // Readers that pin from the log's first byte, also before they ever ran: ("ingest", telemetry).
    std::vector<std::pair<std::string, Class>> required;

    [[nodiscard]] const Budget& of(Class c) const {
        return c == Class::waveform    ? waveform
               : c == Class::telemetry ? telemetry
               : c == Class::alarm     ? alarm
                                       : control;
    }
};

struct RepairReport {
    std::array<std::uint64_t, class_count> cut_bytes{};  // torn or unreachable, taken away
    std::uint32_t segments_removed = 0;
    std::uint64_t records_kept = 0;  // that were read again at open
    bool repaired = false;           // a new epoch began
    std::vector<std::string> notes;  // a sentence each, for the journal
};

// Files and directories that one sync must cover, by their names: who runs it may be a thread, or a
// process, that shares no open file with the writer. A failure to write that nobody has been told
// of is told to whoever syncs next. Outlives the writer if need be.
class SyncPlan {
  public:
    [[nodiscard]] Outcome<void> run(disk::Disk& disk) const;

  private:
    friend class Writer;
    std::vector<std::string> files_;  // oldest first
    std::vector<std::string> directories_;
    std::array<std::uint64_t, class_count> ends_{};
    std::uint64_t ordinal_ = 0;
    std::vector<std::pair<std::string, Mark>> marks_;
};

// What every class lets go of, and what the reserve is filled up with. Runs like a SyncPlan, and
// may beside one.
class RetirePlan {
  public:
    [[nodiscard]] Outcome<void> run(disk::Disk& disk);

  private:
    friend class Writer;
    std::vector<std::pair<Class, Retirement>> parts_;
};

class Writer {
  public:
    static constexpr double hold_at = 0.90;
    static constexpr double resume_at = 0.80;

    // Fault::again, naming the directory, when another process writes there.
    [[nodiscard]] static Outcome<std::unique_ptr<Writer>> open(
        disk::Disk& disk, clock::Clock& clock, const std::string& directory, const Budgets& budgets
    );
    ~Writer();
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    Writer(Writer&&) = delete;
    Writer& operator=(Writer&&) = delete;

    // Fault::full: budget, disk, or too many senders. Fault::io after a failed sync: what the
    // kernel then keeps is unknown, so the writer takes nothing more; open it again.
    [[nodiscard]] Outcome<Offset> append(
        Class log_class, const RecordView& record, const std::optional<Mark>& mark = std::nullopt
    );
    // Gives readers what is gathered; begin_sync() does, too. After a failure as after a failed
    // sync.
    [[nodiscard]] Outcome<void> hand_over();
    [[nodiscard]] bool gathered() const;  // something that readers are not given yet
    // It takes nothing more: open it again.
    [[nodiscard]] bool broken() const;
    // A mark without a message (a gap declared by other means). Goes to the control log.
    [[nodiscard]] Outcome<void> set_mark(std::string_view sender, Mark mark);

    [[nodiscard]] std::optional<SyncPlan> begin_sync();  // none: nothing to do, or one under way
    [[nodiscard]] Outcome<void> finish_sync(const SyncPlan& plan, const Outcome<void>& result);
    [[nodiscard]] Outcome<void> sync();  // all three, here and now

    [[nodiscard]] std::optional<Mark> synced_mark(std::string_view sender) const;
    [[nodiscard]] const std::map<std::string, Mark, std::less<>>& synced_marks() const;

    // Call about once a second: reads how far the readers are, and lets go of what is over the
    // budget and pinned by none. None: nothing to do, or one under way. append() goes on meanwhile.
    [[nodiscard]] Outcome<std::optional<RetirePlan>> begin_retire();
    [[nodiscard]] Outcome<void> finish_retire(const RetirePlan& plan, const Outcome<void>& result);
    [[nodiscard]] Outcome<void> retire();  // all three, here and now
    // Share of the budget that required readers still pin; 1 while the disk is full.
    [[nodiscard]] double fill(Class log_class) const;
    // With hysteresis: from hold_at on until below resume_at. As of the last retirement or
    // append().
    [[nodiscard]] bool hold(Class log_class) const;

    [[nodiscard]] Offset end(Class log_class) const;
    [[nodiscard]] std::uint64_t bytes(Class log_class) const;  // on disk, all segments
    [[nodiscard]] std::uint64_t synced_ordinal() const;
    [[nodiscard]] const RepairReport& repair_report() const;

  private:
    struct State;
    explicit Writer(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace stator::log
