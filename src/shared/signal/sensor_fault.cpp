#include "shared/signal/sensor_fault.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>

namespace stator::signal {
namespace {

bool jumps(std::span<const std::uint16_t> counts, int most) {
    std::size_t jumps = 0;
    for (std::size_t i = 1; i < counts.size(); ++i)
        if (std::abs(int{counts[i]} - int{counts[i - 1]}) > most) ++jumps;
    return jumps * 8 > counts.size();
}

}  // namespace

SensorFault sensor_fault(
    asset::Sampling sampling, std::span<const std::uint16_t> counts, std::uint16_t counts_max
) {
    if (counts.empty()) return SensorFault::disconnected;
    const std::uint16_t rail = counts_max / 200U;  // half a percent from either end
    std::size_t at_rail = 0;
    for (const std::uint16_t count : counts)
        if (count <= rail || count >= counts_max - rail) ++at_rail;
    const auto [low, high] = std::ranges::minmax(counts);
    if (at_rail == counts.size()) return SensorFault::disconnected;
    if (at_rail * 10 >= counts.size()) return SensorFault::saturated;
    // A slow value may well be the same for 5 ms; a microphone that hears nothing at all is dead.
    if (sampling != asset::Sampling::slow && low == high) return SensorFault::stuck;
    if (high - low <= counts_max / 4) return SensorFault::none;
    const bool noisy = sampling == asset::Sampling::slow || jumps(counts, counts_max / 4);
    return noisy ? SensorFault::noisy : SensorFault::none;
}

std::int64_t Stillness::after(std::span<const std::uint16_t> counts, std::int64_t now_us) {
    const auto [low, high] = std::ranges::minmax(counts);
    if (low != high) {
        since_us_ = -1;
        return 0;
    }
    if (since_us_ < 0 || low != count_) since_us_ = now_us;
    count_ = low;
    return now_us - since_us_;
}

}  // namespace stator::signal
