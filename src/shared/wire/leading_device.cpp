#include "shared/wire/leading_device.h"

#include "shared/wire/topics.h"

#include <algorithm>

namespace stator::wire {

std::string_view leading_device(std::string_view json) {
    const auto pass = [&json](std::string_view expected) {
        json.remove_prefix(std::min(json.find_first_not_of(" \t\r\n"), json.size()));
        const bool here = json.starts_with(expected);
        if (here) json.remove_prefix(expected.size());
        return here;
    };
    if (!pass("{") || !pass("\"deviceID\"") || !pass(":") || !pass("\"")) return {};
    const std::string_view device = json.substr(0, json.find('"'));
    const bool ended = device.size() < json.size();
    return ended && valid_id(device) ? device : std::string_view{};
}

}  // namespace stator::wire
