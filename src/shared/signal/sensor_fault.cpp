#include "shared/signal/sensor_fault.h"

#include <algorithm>
#include <cstddef>

namespace stator::signal {

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
    if (sampling == asset::Sampling::waveform && low == high) return SensorFault::stuck;
    if (sampling == asset::Sampling::slow && high - low > counts_max / 4) return SensorFault::noisy;
    return SensorFault::none;
}

}  // namespace stator::signal
