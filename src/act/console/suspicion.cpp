#include "act/console/suspicion.h"

#include "world/json/json.h"

#include <fmt/format.h>

#include <algorithm>

namespace stator::console {

using nlohmann::json;

namespace {

std::string largest_of(const json& episode) {
    double largest = 0;
    std::string made;
    const auto shares = episode.find("contributions");
    if (shares == episode.end()) return made;
    for (const auto& [name, share] : shares->items())
        if (share.is_number() && share.get<double>() > largest) {
            largest = share.get<double>();
            made = name;
        }
    return made;
}

}  // namespace

std::string spaced(std::string name) {
    std::ranges::replace(name, '_', ' ');
    std::ranges::replace(name, '-', ' ');
    return name;
}

std::string suspicion_of(const std::string& episodes) {
    const json all = json::parse(episodes, nullptr, false);
    std::string mostly;
    if (all.is_array())
        for (const json& episode : all) {
            if (!episode.is_object() || episode.value("end_unix_ms", 1LL) != 0) continue;
            const std::string kind = spaced(stator::json::text_of(episode, "suspected"));
            const std::string evidence = spaced(stator::json::text_of(episode, "evidence"));
            if (!kind.empty() && !evidence.empty())
                return fmt::format("{} suspected ({})", kind, evidence);
            if (mostly.empty()) mostly = spaced(largest_of(episode));
        }
    return "a fault is suspected, cause unclear" +
           (mostly.empty() ? "" : fmt::format(" (mostly {})", mostly));
}

}  // namespace stator::console
