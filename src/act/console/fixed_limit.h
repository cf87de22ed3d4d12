// FixedLimit is the peer that Stator is measured against: what a plant has today.
//
// Each raw channel gets a limit once, from its first readings: mean +- max(25 % of |mean|, 6 sd),
// the usual "alarm a quarter above the baseline". An event is three readings in a row beyond it,
// and ends after ten within. It never learns and knows no features.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace stator::console {

struct LimitEvent {
    std::string channel;
    std::int64_t start_unix_ms = 0;
    std::int64_t end_unix_ms = 0;  // 0 while it lasts
};

class FixedLimit {
  public:
    explicit FixedLimit(std::size_t baseline_readings) : baseline_readings_{baseline_readings} {}

    void on_reading(const std::map<std::string, double>& values, std::int64_t unix_ms);

    [[nodiscard]] const std::vector<LimitEvent>& events() const { return events_; }

  private:
    struct Channel {
        std::size_t count = 0;
        double mean = 0;
        double squares = 0;  // sum of squared deviations (Welford)
        std::uint32_t beyond = 0;
        std::uint32_t within = 0;
        bool active = false;
        std::size_t event = 0;  // index of the running one
    };

    void judge(Channel& channel, const std::string& name, double value, std::int64_t unix_ms);

    std::size_t baseline_readings_;
    std::map<std::string, Channel> channels_;
    std::vector<LimitEvent> events_;  // bounded
};

}  // namespace stator::console
