// Numbers knows which of a speaker's numbered messages have come.
//
// What comes out of order is late and not again: it was stored and acknowledged, and has not been
// given to anybody. Exact within its limits: of the last boots_max boots, and between their last
// gaps_max gaps; what lies before them counts as had, and so does what lies before the first number
// that was taken. A boot that begins after that first number begins with 1.
#pragma once

#include "store/stream/gaps.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stator::stream {

class Numbers {
  public:
    static constexpr std::size_t boots_max = 4;
    static constexpr std::size_t gaps_max = 64;

    enum class Came : std::uint8_t { next, late, again };

    struct Taken {
        Came came = Came::next;
        std::uint64_t jumped = 0;  // numbers of the same boot that a `next` has left out
    };

    [[nodiscard]] Taken take(std::uint32_t boot, std::uint64_t seq);
    // That take() would say `again`.
    [[nodiscard]] bool has(std::uint32_t boot, std::uint64_t seq) const;

    // The highest that was taken; 0, 0 while nothing was.
    [[nodiscard]] std::uint32_t boot() const { return tops_.empty() ? 0 : tops_.back().boot; }

    [[nodiscard]] std::uint64_t seq() const { return tops_.empty() ? 0 : tops_.back().seq; }

    // All but seq(), as a line: it stays the same while numbers only rise by one.
    [[nodiscard]] std::string text() const;
    // Of text(), boot() and seq(). A text that is not of that boot, or none, says nothing: all up
    // to the place has come.
    [[nodiscard]] static Numbers from(std::string_view text, std::uint32_t boot, std::uint64_t seq);

  private:
    struct Top {
        std::uint32_t boot = 0;
        std::uint64_t seq = 0;
    };

    void forget_oldest_boot();
    [[nodiscard]] bool read(std::string_view text);

    std::vector<Top> tops_;  // rising
    Gaps gaps_{gaps_max};
    std::uint32_t first_boot_ = 0;
};

}  // namespace stator::stream
