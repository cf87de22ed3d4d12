#include "app/config/topics.h"

#include <fmt/format.h>

#include <array>
#include <string_view>

namespace stator::config {

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
        std::string_view fault = wire::fault_of_topic(name.text);
        for (std::size_t j = 0; j < i && fault.empty(); ++j)
            if (names[j].text == name.text) fault = "is another topic's name too";
        name.into = wire::Topic{name.text};
        if (!fault.empty())
            return fail(
                base::Fault::bad_input, fmt::format("{} = \"{}\" {}", name.key, name.text, fault)
            );
    }
    return made;
}

}  // namespace stator::config
