#include "app/config/topics.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace stator::config {

namespace {

// The longest name of a Kafka topic is 249 bytes; the fixed Topic must also hold one of a device.
constexpr std::size_t topic_bytes_max = 128;
constexpr std::string_view own_names = "stator/";

std::string_view fault_of(std::string_view name) {
    if (name.empty()) return "is empty";
    if (name.size() > topic_bytes_max) return "is longer than 128 bytes";
    if (name.front() == '$') return "begins with '$', which is the broker's";
    if (name.starts_with(own_names)) return "begins with \"stator/\", where the devices' own are";
    const bool plain = std::ranges::all_of(name, [](char c) {
        return static_cast<unsigned char>(c) > 0x20 && c != 0x7f && c != '+' && c != '#';
    });
    return plain ? "" : "holds a blank, a control character or a wildcard";
}

}  // namespace

Outcome<wire::Topics> wire_topics(const Topics& topics) {
    wire::Topics made;

    struct Name {
        const char* key;
        const std::string& text;
        wire::Topic& into;
    };

    const std::array names{
        Name{"topics.data", topics.data, made.data},
        Name{"topics.level1", topics.level1, made.inference},
        Name{"topics.level2", topics.level2, made.alert},
        Name{"topics.control", topics.control, made.control},
    };
    for (std::size_t i = 0; i < names.size(); ++i) {
        const Name& name = names[i];
        std::string_view fault = fault_of(name.text);
        for (std::size_t j = 0; j < i && fault.empty(); ++j)
            if (names[j].text == name.text) fault = "is another topic's name too";
        if (fault.empty() && !name.into.assign(name.text)) fault = "is too long";
        if (!fault.empty())
            return fail(
                base::Fault::bad_input, fmt::format("{} = \"{}\" {}", name.key, name.text, fault)
            );
    }
    return made;
}

}  // namespace stator::config
