// The Report is the one page that a run ends with: each step, and what was measured, beside a peer.
//
// Warning time, missed faults and false alarm events are judged by the motor's own account, which
// nothing saw before; the peer is a fixed limit on each raw channel. Misses stand as plainly as
// hits.
#pragma once

#include <string>

namespace stator::story {

struct Cost {
    double wall_s = 0;
    double first_page_s = 0;  // from the start to the first live page; 0: nobody asked
    double resident_mb = 0;   // all processes together, the most that was seen
    double acceleration = 1;
};

// `overview` and `revealed` as Story has them (JSON); `failure` empty when the loop closed.
[[nodiscard]] std::string report(
    const std::string& overview,
    const std::string& revealed,
    const std::string& failure,
    const Cost& cost
);

}  // namespace stator::story
