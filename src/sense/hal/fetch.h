// Fetch asks the site's HTTPS services, one bounded question at a time.
//
// start() begins, poll() answers Fault::again until it is done. A request with bytes_max > 0 is for
// the range [offset, offset + bytes_max) of a file: the reply holds at most that many bytes and the
// file's whole size, also where the server knows no ranges.
#pragma once

#include "shared/base/result.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace stator::hal {

enum class Service : std::uint8_t { devices, models };

struct FetchRequest {
    Service service = Service::models;
    std::string_view path;        // "/quantized/NAME"
    std::string_view form;        // not empty: a POST of this urlencoded form
    std::size_t offset = 0;       // of a ranged GET
    std::size_t bytes_max = 256;  // of the reply's body
};

struct FetchReply {
    int status = 0;                    // of HTTP; a range that was served says 200, too
    std::span<const std::byte> bytes;  // valid until the next start()
    std::size_t file_bytes = 0;        // of the whole file
};

class Fetch {
  public:
    [[nodiscard]] virtual base::Result<void> start(const FetchRequest& request) = 0;
    // Fault::again: not yet. Fault::io: no answer (network, certificate, time-out); start again.
    [[nodiscard]] virtual base::Result<FetchReply> poll() = 0;

  protected:
    ~Fetch() = default;
};

}  // namespace stator::hal
