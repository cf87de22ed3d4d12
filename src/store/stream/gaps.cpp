#include "store/stream/gaps.h"

#include <algorithm>
#include <tuple>

namespace stator::stream {

void Gaps::add(const Gap& gap) {
    const auto order = [](const Gap& one) { return std::tuple{one.boot, one.from}; };
    gaps_.insert(std::ranges::lower_bound(gaps_, order(gap), {}, order), gap);
    if (gaps_.size() > gaps_max_) gaps_.erase(gaps_.begin());
}

std::uint64_t Gaps::take(const Gap& gap) {
    const auto touches = [&](const Gap& it) {
        return it.boot == gap.boot && it.from <= gap.to && gap.from <= it.to;
    };
    std::uint64_t taken = 0;
    if (gap.from > gap.to) return taken;  // a device may say anything
    for (auto at = std::ranges::find_if(gaps_, touches); at != gaps_.end();
         at = std::ranges::find_if(gaps_, touches)) {
        const Gap it = *at;
        gaps_.erase(at);
        taken += std::min(gap.to, it.to) - std::max(gap.from, it.from) + 1;
        if (gap.to < it.to) add({it.boot, gap.to + 1, it.to});
        if (it.from < gap.from) add({it.boot, it.from, gap.from - 1});
    }
    return taken;
}

bool Gaps::has(std::uint32_t boot, std::uint64_t number) const {
    return std::ranges::any_of(gaps_, [&](const Gap& gap) {
        return gap.boot == boot && gap.from <= number && number <= gap.to;
    });
}

void Gaps::forget_before(std::uint32_t boot) {
    std::erase_if(gaps_, [&](const Gap& gap) { return gap.boot < boot; });
}

}  // namespace stator::stream
