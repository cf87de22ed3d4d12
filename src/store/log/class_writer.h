// A ClassWriter keeps the segments of one class: it begins, fills, retires and recycles them.
//
// It knows positions and files, nothing of marks and ordinals: those belong to the Writer.
#pragma once

#include "store/log/gathering.h"
#include "store/log/recovery.h"
#include "store/log/retirement.h"
#include "store/log/segments.h"
#include "store/log/writer.h"

namespace stator::log {

// What a new segment's header says about the whole log.
struct Moment {
    std::uint32_t epoch = 1;
    std::uint64_t synced_ordinal = 1;
    std::int64_t unix_ms = 0;
    const Marks* synced_marks = nullptr;
};

class ClassWriter {
  public:
    ClassWriter(
        disk::Disk& disk, const std::string& log_directory, Class log_class, const Budget& budget
    );

    // Cuts what recovery found torn, syncs what stays.
    [[nodiscard]] Outcome<void> adopt(const RecoveredClass& recovered);
    // Opens the last segment to go on in it; none when there is none.
    [[nodiscard]] Outcome<void> resume();
    [[nodiscard]] Outcome<void> begin_segment(const Moment& moment);
    // The reserve: as many empty segments as the budget still allows. Not while a retirement runs.
    [[nodiscard]] Outcome<void> fill_reserve();

    [[nodiscard]] bool fits(std::size_t bytes) const;  // into the segment that is open
    [[nodiscard]] bool room_for_segment() const;       // within the budget
    [[nodiscard]] Outcome<void> append(Bytes record, std::int64_t receive_unix_ms);

    // From now on small records are gathered, where the budget says so.
    [[nodiscard]] Outcome<void> gather(const std::string& path);
    // Whether a record of up to `bytes` may be: its space in the segment is then reserved, so that
    // hand_over() does not find the disk full.
    [[nodiscard]] bool gathers(std::size_t bytes);
    // Where to put it; empty: hand_over() first, it does not fit behind those that are there.
    [[nodiscard]] std::span<std::byte> gathering_room(std::size_t bytes) const;
    void gathered(std::size_t bytes, std::int64_t receive_unix_ms);
    // Writes what is gathered to the segment.
    [[nodiscard]] Outcome<void> hand_over();

    // Lets go of what the budget has no room for, or of `all`, as far as it is synced and below
    // `pinned`, and fills the reserve. None: nothing to do, or one runs. Until finish() that is not
    // counted any more, and nothing else is let go of.
    [[nodiscard]] std::optional<Retirement> begin_retirement(std::uint64_t pinned, bool all);
    void finish(const Retirement& done);
    // The oldest segment, here and now; false: it is needed, or a retirement runs.
    [[nodiscard]] Outcome<bool> retire_oldest(std::uint64_t pinned);

    void add_to(std::vector<std::string>& files, std::vector<std::string>& directories);

    void set_synced(std::uint64_t end) { synced_ = end; }

    // A removal may or may not outlive a cut, and so may the next one: open the log again.
    [[nodiscard]] bool unsure() const { return unsure_; }

    [[nodiscard]] std::uint64_t end() const { return end_; }

    // What readers may read: below it nothing is gathered any more.
    [[nodiscard]] std::uint64_t readable() const {
        return gathering_ ? end_ - gathering_->held().size() : end_;
    }

    [[nodiscard]] std::uint64_t synced() const { return synced_; }

    [[nodiscard]] std::uint64_t first() const {
        return segments_.empty() ? end_ : segments_[0].base;
    }

    [[nodiscard]] std::uint64_t bytes() const;
    [[nodiscard]] std::uint64_t base_holding(std::uint64_t position) const;

    [[nodiscard]] const Budget& budget() const { return budget_; }

    [[nodiscard]] bool has_segment() const { return file_ != nullptr; }

    [[nodiscard]] std::uint32_t last_epoch() const {
        return segments_.empty() ? 0 : segments_.back().epoch;
    }

  private:
    struct Held {
        std::uint64_t base = 0;
        std::uint32_t epoch = 0;
        std::uint64_t synced = 0;  // its header's
    };

    [[nodiscard]] std::string path_of(std::uint64_t base) const;
    [[nodiscard]] std::size_t reserve_count() const;
    [[nodiscard]] Retirement nothing_yet() const;
    [[nodiscard]] bool plan_oldest(std::uint64_t pinned, Retirement& into);
    void plan_reserve(Retirement& into);
    void plan_making(std::string unready, bool fresh, Retirement& into);
    [[nodiscard]] Outcome<void> take_spare(const std::string& path);
    void add_to_index(std::uint64_t position, std::int64_t receive_unix_ms);
    void tidy_index(const Segment& segment, std::uint64_t end);

    disk::Disk& disk_;
    std::string directory_;
    Class class_;
    Budget budget_;
    std::vector<Held> segments_;  // the last one is open
    std::vector<Held> leaving_;   // before those: of the retirement that runs
    bool retiring_ = false;
    bool unsure_ = false;
    std::vector<std::string> spare_;
    std::vector<std::string> unready_;
    std::unique_ptr<disk::File> file_;
    std::unique_ptr<Gathering> gathering_;
    std::uint64_t reserved_bytes_ = 0;  // of the open segment, for what is gathered
    std::unique_ptr<disk::File> index_;
    std::uint64_t index_bytes_ = 0;
    std::uint64_t next_index_ = 0;       // position from which on the next entry is due
    std::vector<std::string> unsynced_;  // closed segments
    std::uint64_t end_ = 0;
    std::uint64_t synced_ = 0;
    std::uint64_t next_spare_ = 0;
    bool names_changed_ = false;
};

}  // namespace stator::log
