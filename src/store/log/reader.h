// A Reader is one consumer's place in one class of the log, in any process.
//
// take() gives what the writer has published, in order; commit() makes the place durable, in a page
// of two slots, and never past what is synced: a later commit is kept back and written by a later
// take(). After an epoch began (a repair) the reader goes on from where the repair cut. Wakes
// without polling. Where the log has no writer yet, there is nothing to take.
#pragma once

#include "store/log/format.h"
#include "store/log/record.h"
#include "world/disk/disk.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stator::log {

struct ReadFrom {
    std::string name;       // "ingest"; empty: an onlooker without a durable place
    bool required = false;  // pins what it has not committed
    bool latest = false;    // where a reader without a commit begins
};

class Reader {
  public:
    [[nodiscard]] static Outcome<std::unique_ptr<Reader>> open(
        disk::Disk& disk, const std::string& directory, Class log_class, const ReadFrom& from
    );
    ~Reader();
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    Reader(Reader&&) = delete;
    Reader& operator=(Reader&&) = delete;

    // At most that many; none when there is nothing new.
    [[nodiscard]] Outcome<std::vector<Record>> take(std::size_t records_max);

    struct Item {
        RecordView record;  // valid until the next call
        Offset offset;
        Offset next;
        std::uint64_t ordinal = 0;
        std::optional<Mark> mark;
    };

    // The same, one at a time and without a copy.
    [[nodiscard]] Outcome<std::optional<Item>> next();

    [[nodiscard]] Outcome<void> commit(Offset next);
    void wait(std::int64_t timeout_us);
    // Deleted unread since the last call, or unreadable: a spoiled record costs up to its segment.
    [[nodiscard]] std::uint64_t missed_bytes();

    [[nodiscard]] Offset position() const;   // of the next take()
    [[nodiscard]] Offset committed() const;  // durable
    [[nodiscard]] std::uint64_t lag_bytes() const;
    // Goes to the first record received at or after that time (by the sparse index).
    [[nodiscard]] Outcome<void> seek_time(std::int64_t receive_unix_ms);
    [[nodiscard]] Outcome<void> seek(Offset offset);

  private:
    struct State;
    explicit Reader(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace stator::log
