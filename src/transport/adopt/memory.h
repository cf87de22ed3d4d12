// The Memory knows which number each message of another broker was given, so that one that comes a
// second time is told by the same.
//
// A message that was stored, but whose acknowledgement the foreign broker did not get (a kill -9, a
// cut line), is delivered again. Its number stands in our own log, beside where it came from: at
// the start the log is read from the last checkpoint on. A checkpoint is made when everything
// before it has long been acknowledged. Nothing else is kept on the disk.
#pragma once

#include "store/log/reader.h"
#include "transport/adopt/apply.h"

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace stator::adopt {

inline constexpr std::size_t remembered_max = 131'072;
inline constexpr std::int64_t checkpoint_after_us = 30'000'000;

[[nodiscard]] std::uint64_t digest_of(std::string_view topic, std::string_view payload);

class Memory {
  public:
    // Reads what `own_id` wrote to the log's telemetry and alarm classes since the checkpoint.
    [[nodiscard]] static Outcome<std::unique_ptr<Memory>> open(
        disk::Disk& disk, const std::string& log_directory, std::string own_id
    );

    // The number of the message from this place, if it is the one with this digest.
    [[nodiscard]] std::optional<Number> find(const std::string& place, std::uint64_t digest) const;
    void keep(const std::string& place, std::uint64_t digest, Number number);

    // The highest boot that was ever given since the checkpoint.
    [[nodiscard]] std::uint32_t boot_max() const { return boot_max_; }

    [[nodiscard]] std::size_t size() const { return given_.size(); }

    // `next`: of the messages that come from now on; `oldest`: not yet acknowledged. Cheap when
    // nothing is due.
    [[nodiscard]] Outcome<void> checkpoint(
        std::int64_t now_us, std::uint64_t next, std::uint64_t oldest
    );

  private:
    struct Given {
        std::uint64_t digest = 0;
        Number number;
        std::uint64_t age = 0;
    };

    struct Mark {  // where the log ended at a time
        std::int64_t at_us = 0;
        std::uint64_t next = 0;
        std::array<log::Offset, 2> ends;
    };

    explicit Memory(std::string own_id) : own_id_{std::move(own_id)} {}

    [[nodiscard]] Outcome<void> recover(log::Reader& reader);
    void recall(const log::RecordView& record);

    std::string own_id_;
    std::array<std::unique_ptr<log::Reader>, 2> readers_;  // telemetry, alarm
    std::unordered_map<std::string, Given> given_;         // by place
    std::deque<std::pair<std::string, std::uint64_t>> ages_;
    std::uint64_t age_ = 0;
    std::uint32_t boot_max_ = 0;
    std::deque<Mark> marks_;
    std::int64_t marked_us_ = 0;
};

}  // namespace stator::adopt
