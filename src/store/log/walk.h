// A Walk parses one segment's records wherever it is asked to, and reads the file in large pieces.
//
// It is for looking at a log from outside: it believes nothing, moves nothing, and a live writer
// does not notice it.
#pragma once

#include "store/log/segments.h"

namespace stator::log {

class Walk {
  public:
    [[nodiscard]] static Outcome<Walk> open(disk::Disk& disk, const Segment& segment);

    // What stands at that position. `zeros`: nothing from here on; `more`: the file ends within.
    // Its view is valid until the next call.
    [[nodiscard]] Outcome<Parsed> at(std::uint64_t position);
    // The next multiple of 8 after `position` where a whole record stands, or `end`.
    [[nodiscard]] Outcome<std::uint64_t> next_whole(std::uint64_t position, std::uint64_t end);

  private:
    Walk(std::unique_ptr<disk::File> file, std::uint64_t base, std::uint64_t file_bytes)
        : file_{std::move(file)}, base_{base}, file_bytes_{file_bytes} {}

    [[nodiscard]] Outcome<Bytes> bytes_at(std::uint64_t position, std::size_t needed);

    std::unique_ptr<disk::File> file_;
    std::uint64_t base_;
    std::uint64_t file_bytes_;  // when it was listed
    std::vector<std::byte> buffer_;
    std::uint64_t from_ = 0;  // position of the buffer's first byte
    std::size_t filled_ = 0;
    bool ended_ = false;  // the file ends with the buffer
};

}  // namespace stator::log
