// Tapes is a stream in memory, for tests of consumers.
//
// What was committed stays with the tape, what was only taken comes again to the next source: as
// after a kill. `dies_before_commit` is the kill between a consumer's own transaction and commit().
#pragma once

#include "store/stream/source.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace stator::stream {

struct Tape {
    std::vector<log::Record> records;
    std::uint64_t committed = 0;
    bool dies_before_commit = false;
    ReaderOptions opened;  // by the last source

    void put(
        std::string topic, std::string sender, std::string payload, std::int64_t receive_unix_ms = 0
    ) {
        const std::uint64_t at = records.size();
        records.push_back(
            {.offset = {.epoch = 1, .position = at},
             .next = {.epoch = 1, .position = at + 1},
             .receive_unix_ms = receive_unix_ms,
             .topic = std::move(topic),
             .sender = std::move(sender),
             .payload = std::move(payload)}
        );
    }
};

class TapeSource final : public Source {
  public:
    explicit TapeSource(Tape& tape) : tape_{tape}, next_{tape.committed} {}

    Outcome<std::vector<log::Record>> take(std::size_t records_max) override {
        std::vector<log::Record> made;
        for (; next_ < tape_.records.size() && made.size() < records_max; ++next_)
            made.push_back(tape_.records[next_]);
        return made;
    }

    Outcome<void> commit(log::Offset next) override {
        if (tape_.dies_before_commit) return fail(base::Fault::closed, "killed");
        tape_.committed = next.position;
        return {};
    }

    void wait(std::int64_t /*timeout_us*/) override {}

    std::uint64_t missed_bytes() override { return 0; }

  private:
    Tape& tape_;
    std::uint64_t next_;
};

class Tapes final : public Stream {
  public:
    Outcome<std::unique_ptr<Source>> open(log::Class log_class, const ReaderOptions& options)
        override {
        Tape& tape = of[log_class];
        tape.opened = options;
        return std::make_unique<TapeSource>(tape);
    }

    std::map<log::Class, Tape> of;
};

}  // namespace stator::stream
