// A Source is one consumer's place in one class of the stream: the embedded log, or Kafka.
//
// Records come in order per device, at least once. commit() makes progress durable, never past
// the synced end; after a restart take() goes on from the last commit. A required reader pins what
// it has not committed; an optional one is told what it missed. Every consumer is written on this.
#pragma once

#include "store/log/record.h"
#include "world/outcome/outcome.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace stator::stream {

class Source {
  public:
    virtual ~Source() = default;
    // At most `records_max` records that are there now; none when there is nothing new.
    [[nodiscard]] virtual Outcome<std::vector<log::Record>> take(std::size_t records_max) = 0;
    // Everything before `next` is done.
    [[nodiscard]] virtual Outcome<void> commit(log::Offset next) = 0;
    // Returns when there is something new, or after the time-out.
    virtual void wait(std::int64_t timeout_us) = 0;
    // Bytes that were deleted unread since the last call (optional readers only).
    [[nodiscard]] virtual std::uint64_t missed_bytes() = 0;
};

enum class Start : std::uint8_t { earliest, latest };  // where a reader without a commit begins

struct ReaderOptions {
    std::string name;       // "ingest": the durable name of the consumer
    bool required = false;  // pins segments
    Start start = Start::earliest;
};

class Stream {
  public:
    virtual ~Stream() = default;
    [[nodiscard]] virtual Outcome<std::unique_ptr<Source>> open(
        log::Class log_class, const ReaderOptions& options
    ) = 0;
};

}  // namespace stator::stream
