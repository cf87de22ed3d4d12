// A Gathering holds a class's last records in memory that outlives the process, on their way to the
// segment: one write() for many of them instead of one for each.
//
//   STATORGA 8 | version 4 | zeros 4 | from 8 | zeros to 64 | record | record | ... | what was
//   before
//
// `from` is the position of the first record, or, when there is none, of the next. Records stand as
// they will in the segment: each one's checksum covers its position, so what an earlier round left
// behind them is none. A killed writer's are put into the segment by restore_gathered() when the
// log is opened; after a power cut the file may hold any mixture, of which the same rule takes only
// what goes on exactly where the segment ends.
#pragma once

#include "store/log/format.h"
#include "world/disk/disk.h"

#include <memory>
#include <span>
#include <string>

namespace stator::log {

inline constexpr std::size_t gathering_header_bytes = 64;

class Gathering {
  public:
    // Empty, and on the disk so: nothing of before comes back after a power cut.
    [[nodiscard]] static Outcome<std::unique_ptr<Gathering>> open(
        disk::Disk& disk, const std::string& path, std::size_t bytes, std::uint64_t position
    );

    // Where the next record goes; it counts as soon as it is whole.
    [[nodiscard]] std::span<std::byte> room() const { return memory_.subspan(end_); }

    void take(std::size_t record_bytes) { end_ += record_bytes; }

    [[nodiscard]] Bytes held() const {
        return memory_.subspan(gathering_header_bytes, end_ - gathering_header_bytes);
    }

    // All that was held is in the segment, which ends there.
    void let_go(std::uint64_t position);

  private:
    Gathering(std::unique_ptr<disk::File> file, std::span<std::byte> memory)
        : file_{std::move(file)}, memory_{memory} {}

    std::unique_ptr<disk::File> file_;
    std::span<std::byte> memory_;
    std::size_t end_ = gathering_header_bytes;
};

[[nodiscard]] std::string gathering_path(const std::string& log_directory, Class log_class);

// Puts what a killed writer had gathered into the last segment. Writing what is there already
// changes nothing, so a kill in the middle of this does no harm.
[[nodiscard]] Outcome<void> restore_gathered(
    disk::Disk& disk, const std::string& log_directory, Class log_class
);

}  // namespace stator::log
