// Metrics is what /metrics answers: named counters and gauges in the Prometheus text format.
//
// Names are stator_<noun>_<what>_<unit>, counters end in _total. One thread. What was first
// add()ed is a counter, what was first set() a gauge.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace stator::metrics {

class Metrics {
  public:
    // `labels` is the text between the braces: device="7",level="1".
    void add(std::string_view name, double by = 1.0, std::string_view labels = {});
    void set(std::string_view name, double value, std::string_view labels = {});
    [[nodiscard]] double get(std::string_view name, std::string_view labels = {}) const;
    [[nodiscard]] std::string render() const;

  private:
    struct Family {
        bool counter = false;
        std::map<std::string, double, std::less<>> values;  // by labels
    };

    std::map<std::string, Family, std::less<>> families_;
};

// One label with its value escaped: label("device", "7") is device="7". Join several with commas.
[[nodiscard]] std::string label(std::string_view name, std::string_view value);

}  // namespace stator::metrics
