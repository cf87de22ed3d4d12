// Told is the trace of a run as text: a line an event, after the sample before which it happened.
//
//   262000 valve 17
//   262000 reading 3ed1a2b3 1 8f3c0a9911d2e4b7    the verdict's bits, the alarm, the chain
//   262000 says {"deviceID":...}
//
// What has no line of its own (messages, flows, log lines) goes into the chain, a hash of all that
// ever happened, so that of two traces the first line that differs says when the runs parted.
#pragma once

#include "sense/proof/machine.h"

#include <cstdint>
#include <string_view>

namespace stator::proof {

class Record {  // where the text goes
  public:
    virtual void write(std::string_view text) = 0;

  protected:
    ~Record() = default;
};

class Told {
  public:
    explicit Told(Record& record) : record_{record} {}

    void at(std::uint64_t sample) { sample_ = sample; }

    [[nodiscard]] Trace& chain() { return chain_; }

    void text(std::string_view what, std::string_view text);
    void number(std::string_view what, std::uint64_t number);
    void reading(float verdict, bool alarm);

  private:
    void begin(std::string_view what);
    void decimal(std::uint64_t number);
    void hex(std::uint64_t value, unsigned digits);

    Record& record_;
    Trace chain_;
    std::uint64_t sample_ = 0;
};

}  // namespace stator::proof
