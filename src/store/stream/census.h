// The Census counts what each device has sent, over all classes of the embedded log: what came
// twice, what never came, and when it was last heard.
//
// A device numbers everything it sends without a gap within a boot, whatever class it goes to, so
// only who reads all classes can tell a loss from a message of another class. What comes late fills
// its gap; what the device says it has shed is counted apart. It leaves nothing in the log's
// directory, begins with the oldest record that is there, and so counts over what the log holds.
// Limits: devices_max, and gaps_max open gaps a device; an older gap stays missing for good.
#pragma once

#include "store/log/reader.h"
#include "store/stream/gaps.h"
#include "world/metrics/metrics.h"

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace stator::stream {

class Census {
  public:
    static constexpr std::size_t devices_max = 20'000;
    static constexpr std::size_t gaps_max = 256;

    struct Device {
        std::uint32_t boot = 0;  // the highest
        std::uint64_t seq = 0;   // the highest of that boot
        std::uint64_t received = 0;
        std::uint64_t duplicates = 0;
        std::uint64_t missing = 0;   // messages that others came after, and that never came
        std::uint64_t declared = 0;  // that the device said it shed
        std::int64_t last_seen_unix_ms = 0;
    };

    [[nodiscard]] static Outcome<std::unique_ptr<Census>> open(
        disk::Disk& disk, const std::string& log_directory
    );

    // Counts up to that many records; false when there are no more for now.
    [[nodiscard]] Outcome<bool> step(std::size_t records_max);
    // One message, as the log has it.
    void count(std::string_view payload, std::int64_t receive_unix_ms);

    [[nodiscard]] std::map<std::string, Device> devices() const;

    // Deleted before it was counted: gaps there are no losses.
    [[nodiscard]] std::uint64_t missed_bytes() const { return missed_bytes_; }

    // stator_device_*{device="..."}
    void tell(metrics::Metrics& metrics) const;

  private:
    struct Known {
        Device device;
        std::map<std::uint32_t, std::uint64_t> highest;  // by boot; the last few
        Gaps gaps{gaps_max};
    };

    struct Followed {
        std::unique_ptr<log::Reader> reader;
        std::optional<log::Reader::Item> next;  // read, and not counted yet
    };

    Census() = default;
    // What of it was missing, and is no longer.
    [[nodiscard]] static std::uint64_t fill(Known& known, const Gap& gap);

    std::array<Followed, log::class_count> classes_;
    std::map<std::string, Known, std::less<>> known_;
    std::uint64_t missed_bytes_ = 0;
};

}  // namespace stator::stream
