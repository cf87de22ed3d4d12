// A Download brings a file of the models' registry piece by piece, resumed where it broke off.
//
// step() asks one question, or looks for its answer. After News::bytes the piece lies in reply()
// until the next step(), and the caller says with took() how much of it is done with; after
// News::refused there is a reason(), and nothing more comes.
#pragma once

#include "sense/hal/hal.h"
#include "sense/node/config.h"
#include "shared/base/fixed.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace stator::node {

// A file's name becomes part of a path: the alphabet of names, one component, this ending.
[[nodiscard]] bool valid_file_name(std::string_view name, std::string_view ending);

class Download {
  public:
    enum class News : std::uint8_t { none, bytes, refused };

    Download(hal::Hal& hal, const Config& config) : hal_{hal}, config_{config} {}

    // "/quantized/", "NAME"; from the first byte on.
    void begin(std::string_view folder, std::string_view name);
    [[nodiscard]] News step(std::int64_t now_us);

    [[nodiscard]] const hal::FetchReply& reply() const { return reply_; }

    void took(std::size_t bytes) { offset_ += bytes; }

    [[nodiscard]] std::size_t offset() const { return offset_; }

    [[nodiscard]] std::string_view reason() const { return reason_; }

  private:
    [[nodiscard]] News try_later(std::int64_t now_us);

    hal::Hal& hal_;
    const Config& config_;
    base::FixedString<192> path_;
    hal::FetchReply reply_;
    std::string_view reason_;
    std::size_t offset_ = 0;
    bool fetching_ = false;
    std::uint32_t tries_ = 0;
    std::int64_t next_us_ = 0;
};

}  // namespace stator::node
