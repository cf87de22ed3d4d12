// Shed is what a device has given up of its present boot and must still declare.
//
// A few ranges of numbers: those that touch become one, and when there are too many the two nearest
// do. A gap says "what is missing of from..to", so a range may hold what is not lost.
#pragma once

#include "shared/base/fixed.h"

#include <algorithm>
#include <cstdint>

namespace stator::node {

class Shed {
  public:
    struct Range {
        std::uint64_t from = 0;
        std::uint64_t to = 0;
    };

    static constexpr std::size_t ranges_max = 4;

    void add(std::uint64_t from, std::uint64_t to) {
        if (from > to) return;
        Range made{from, to};
        for (std::size_t i = 0; i < ranges_.size();) {
            const Range& range = ranges_[i];
            if (range.from <= made.to + 1 && made.from <= range.to + 1) {
                made = {std::min(range.from, made.from), std::max(range.to, made.to)};
                remove(i);
                i = 0;
            } else {
                ++i;
            }
        }
        if (ranges_.push_back(made)) return;
        std::size_t nearest = 0;
        for (std::size_t i = 1; i < ranges_.size(); ++i)
            if (distance(ranges_[i], made) < distance(ranges_[nearest], made)) nearest = i;
        const Range other = ranges_[nearest];
        remove(nearest);
        add(std::min(other.from, made.from), std::max(other.to, made.to));
    }

    [[nodiscard]] bool empty() const { return ranges_.empty(); }

    // The lowest, which is then no longer here.
    [[nodiscard]] Range take() {
        std::size_t lowest = 0;
        for (std::size_t i = 1; i < ranges_.size(); ++i)
            if (ranges_[i].from < ranges_[lowest].from) lowest = i;
        const Range range = ranges_[lowest];
        remove(lowest);
        return range;
    }

    std::uint64_t count = 0;  // of all that was given up, ever

  private:
    static std::uint64_t distance(const Range& a, const Range& b) {
        return a.to < b.from ? b.from - a.to : a.from - b.to;
    }

    void remove(std::size_t i) {
        ranges_[i] = ranges_[ranges_.size() - 1];
        static_cast<void>(ranges_.resize(ranges_.size() - 1));
    }

    base::FixedVector<Range, ranges_max> ranges_;
};

}  // namespace stator::node
