#include "transport/gate/marks.h"

#include <gtest/gtest.h>

#include <map>
#include <tuple>

namespace stator::gate {

namespace {

TEST(MarksModel, never_pass_a_hole_and_never_lag_behind_what_has_no_hole) {
    // Against a plain set of numbers, in random order with duplicates.
    for (unsigned seed = 1; seed <= 200; ++seed) {
        std::uint64_t state = seed;
        const auto below = [&](std::uint64_t limit) {
            state = state * 6364136223846793005ULL + 1442695040888963407ULL;
            return (state >> 33U) % limit;
        };
        Marks marks;
        std::map<std::uint64_t, bool> seen;
        marks.note("d", 1, 1, 1);
        seen[1] = true;
        std::uint64_t next = 2;
        for (int step = 0; step < 300; ++step) {
            std::uint64_t from = next;
            if (below(4) == 0) from = 1 + below(next + 5);
            const std::uint64_t to = from + (below(8) == 0 ? below(4) : 0);
            marks.note("d", 1, from, to);
            for (std::uint64_t i = from; i <= to; ++i)
                seen[i] = true;
            next = std::max(next, to + 1);
            std::uint64_t reach = 1;
            while (seen.contains(reach + 1))
                ++reach;
            marks.begin_sync();
            std::ignore = marks.synced();
            ASSERT_EQ(marks.get("d").seq, reach) << "seed " << seed << " step " << step;
        }
    }
}

}  // namespace

}  // namespace stator::gate
