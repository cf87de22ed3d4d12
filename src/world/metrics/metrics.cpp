// Prometheus text exposition format 0.0.4:
// https://prometheus.io/docs/instrumenting/exposition_formats/
#include "world/metrics/metrics.h"

#include <fmt/format.h>

#include <cmath>

namespace stator::metrics {
namespace {

std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
    return fmt::format("{}", value);
}

}  // namespace

void Metrics::add(std::string_view name, double by, std::string_view labels) {
    auto family = families_.find(name);
    if (family == families_.end()) {
        family = families_.emplace(std::string{name}, Family{.counter = true, .values = {}}).first;
    }
    auto& values = family->second.values;
    const auto value = values.find(labels);
    if (value == values.end()) {
        values.emplace(std::string{labels}, by);
    } else {
        value->second += by;
    }
}

void Metrics::set(std::string_view name, double value, std::string_view labels) {
    auto family = families_.find(name);
    if (family == families_.end()) {
        family = families_.emplace(std::string{name}, Family{}).first;
    }
    family->second.values.insert_or_assign(std::string{labels}, value);
}

double Metrics::get(std::string_view name, std::string_view labels) const {
    const auto family = families_.find(name);
    if (family == families_.end()) return 0.0;
    const auto value = family->second.values.find(labels);
    return value == family->second.values.end() ? 0.0 : value->second;
}

std::string Metrics::render() const {
    std::string text;
    for (const auto& [name, family] : families_) {
        text += fmt::format("# TYPE {} {}\n", name, family.counter ? "counter" : "gauge");
        for (const auto& [labels, value] : family.values) {
            text += labels.empty() ? fmt::format("{} {}\n", name, number(value))
                                   : fmt::format("{}{{{}}} {}\n", name, labels, number(value));
        }
    }
    return text;
}

std::string label(std::string_view name, std::string_view value) {
    std::string text = fmt::format("{}=\"", name);
    for (const char c : value) {
        if (c == '\\' || c == '"') {
            text += '\\';
            text += c;
        } else if (c == '\n') {
            text += "\\n";
        } else {
            text += c;
        }
    }
    return text + '"';
}

}  // namespace stator::metrics
