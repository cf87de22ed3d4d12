// LogStream is the Stream on the embedded log: its Sources read the segments in a directory.
#pragma once

#include "store/stream/source.h"
#include "world/disk/disk.h"

namespace stator::stream {

class LogStream final : public Stream {
  public:
    LogStream(disk::Disk& disk, std::string directory)
        : disk_{disk}, directory_{std::move(directory)} {}

    [[nodiscard]] Outcome<std::unique_ptr<Source>> open(
        log::Class log_class, const ReaderOptions& options
    ) override;

  private:
    disk::Disk& disk_;
    std::string directory_;
};

}  // namespace stator::stream
