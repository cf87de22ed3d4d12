#include "act/console/fixed_limit.h"

#include <algorithm>
#include <cmath>

namespace stator::console {

namespace {
constexpr double margin_of_mean = 0.25;
constexpr double margin_sd = 6.0;
constexpr std::uint32_t raise_count = 3;
constexpr std::uint32_t clear_count = 10;
constexpr std::size_t events_max = 1000;
constexpr std::size_t channels_max = 16;
}  // namespace

void FixedLimit::on_reading(const std::map<std::string, double>& values, std::int64_t unix_ms) {
    for (const auto& [name, value] : values) {
        if (!channels_.contains(name) && channels_.size() >= channels_max) continue;
        Channel& channel = channels_[name];
        if (channel.count < baseline_readings_) {
            ++channel.count;
            const double step = value - channel.mean;
            channel.mean += step / static_cast<double>(channel.count);
            channel.squares += step * (value - channel.mean);
        } else {
            judge(channel, name, value, unix_ms);
        }
    }
}

void FixedLimit::judge(
    Channel& channel, const std::string& name, double value, std::int64_t unix_ms
) {
    const double sd = std::sqrt(
        channel.squares / static_cast<double>(std::max<std::size_t>(channel.count, 2) - 1)
    );
    const double margin = std::max(margin_of_mean * std::abs(channel.mean), margin_sd * sd);
    if (std::abs(value - channel.mean) > margin) {
        channel.within = 0;
        if (++channel.beyond < raise_count || channel.active || events_.size() >= events_max)
            return;
        channel.active = true;
        channel.event = events_.size();
        events_.push_back({.channel = name, .start_unix_ms = unix_ms});
    } else {
        channel.beyond = 0;
        if (++channel.within < clear_count || !channel.active) return;
        channel.active = false;
        events_[channel.event].end_unix_ms = unix_ms;
    }
}

}  // namespace stator::console
