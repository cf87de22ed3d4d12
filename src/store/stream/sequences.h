// Sequences knows what a reader has had: by (device, boot, seq), per sender and topic.
//
// What came before comes again when a bridge that was killed says its last records again, or a
// device that lost its connection. What comes out of order and never came before is given like any
// other, and counted as late. A jump is not a loss by itself: a device counts over everything it
// sends, so what is missing in one class is an upper bound. Messages without numbers (commands) are
// always new. Limits: those of Numbers, and speakers_max: whoever comes after that is let through
// unwatched.
#pragma once

#include "store/log/record.h"
#include "store/stream/numbers.h"
#include "store/stream/source.h"
#include "world/metrics/metrics.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace stator::stream {

class Sequences {
  public:
    static constexpr std::size_t speakers_max = 20'000;

    struct Counts {
        std::uint64_t fresh = 0;
        std::uint64_t late = 0;  // of the fresh
        std::uint64_t duplicates = 0;
        std::uint64_t not_in_class = 0;  // numbers jumped over
        std::uint64_t unwatched = 0;
    };

    // False: it came before.
    [[nodiscard]] bool accept(const log::Record& record);

    [[nodiscard]] const Counts& counts() const { return counts_; }

  private:
    std::map<std::string, Numbers> speakers_;
    Counts counts_;
};

// A Stream whose Sources give every numbered record once, and tell `metrics` how many came twice,
// how many late and how many numbers were jumped over, by reader and class. `inner` and `metrics`
// outlive it.
class OnceStream final : public Stream {
  public:
    OnceStream(Stream& inner, metrics::Metrics& metrics) : inner_{inner}, metrics_{metrics} {}

    [[nodiscard]] Outcome<std::unique_ptr<Source>> open(
        log::Class log_class, const ReaderOptions& options
    ) override;

  private:
    Stream& inner_;
    metrics::Metrics& metrics_;
};

}  // namespace stator::stream
