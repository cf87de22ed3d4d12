#include "world/mqtt/broker.h"

namespace stator::mqtt {

namespace {

// Cuts the first level off `rest`; false when that was the last one.
bool cut_level(std::string_view& rest, std::string_view& level) {
    const std::size_t slash = rest.find('/');
    level = rest.substr(0, slash);
    if (slash == std::string_view::npos) return false;
    rest.remove_prefix(slash + 1);
    return true;
}

}  // namespace

bool matches(std::string_view filter, std::string_view topic) {
    if (filter.empty() || topic.empty()) return false;
    if (topic.front() == '$' && filter.front() != '$') return false;
    for (;;) {
        std::string_view want;
        std::string_view have;
        const bool more_want = cut_level(filter, want);
        if (want == "#") return true;
        const bool more_have = cut_level(topic, have);
        if (want != "+" && want != have) return false;
        if (!more_have) return !more_want || filter == "#";  // "a/#" matches "a" too
        if (!more_want) return false;
    }
}

}  // namespace stator::mqtt
