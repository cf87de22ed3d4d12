// SampleFiles is the driver of sensors that Linux shows as files: 16-bit little-endian counts, one
// after another, as a converter's buffer device (/dev/iio:device0), a pipe, or a recorded file.
//
// A channel that has no file here is read from the Adc behind it. A regular file begins again at
// its end, which to follow() is a hole; a device that has too few samples for a read() now is
// Fault::io, which the node tells as disconnected.
#pragma once

#include "sense/hal/machine.h"
#include "world/outcome/outcome.h"

#include <cstddef>
#include <map>
#include <string>

namespace stator::host {

class SampleFiles final : public hal::Adc {
  public:
    explicit SampleFiles(hal::Adc& others) : others_{others} {}

    ~SampleFiles();
    SampleFiles(const SampleFiles&) = delete;
    SampleFiles& operator=(const SampleFiles&) = delete;

    // From now on the channel (index into the asset's) is read from there.
    [[nodiscard]] Outcome<void> open(std::size_t channel, const std::string& path);

    [[nodiscard]] base::Result<void> read(std::size_t channel, std::span<std::uint16_t> counts)
        override;
    [[nodiscard]] base::Result<std::size_t> follow(
        std::size_t channel, std::span<std::uint16_t> counts
    ) override;

  private:
    hal::Adc& others_;
    std::map<std::size_t, int> files_;
    std::map<std::size_t, std::byte> halves_;  // a pipe may end a piece in the middle of a sample
};

}  // namespace stator::host
