#include "world/tflite/engine.h"

#include <fmt/format.h>

namespace stator::tflite {

Outcome<Choice> read_choice(
    std::string_view engine, std::string_view delegate, std::string_view options
) {
    constexpr std::string_view prefix = "tflite:";
    Choice made;
    if (engine.starts_with(prefix)) made.library = engine.substr(prefix.size());
    if (made.library.empty() && engine != "tinyml")
        return fail(
            base::Fault::bad_input,
            fmt::format("the engine must be tinyml or tflite:PATH, not '{}'", engine)
        );
    if (made.library.empty() && !(delegate.empty() && options.empty()))
        return fail(
            base::Fault::bad_input, "a delegate works with the engine tflite:PATH, not with tinyml"
        );
    made.delegate = delegate;
    while (!options.empty()) {
        const std::size_t end = std::min(options.find(','), options.size());
        const std::string_view one = options.substr(0, end);
        const std::size_t equals = one.find('=');
        if (equals == 0 || equals == std::string_view::npos)
            return fail(
                base::Fault::bad_input,
                fmt::format("a delegate's options are key=value,key=value, not '{}'", one)
            );
        made.delegate_options.emplace_back(one.substr(0, equals), one.substr(equals + 1));
        options.remove_prefix(std::min(end + 1, options.size()));
    }
    if (made.delegate.empty() && !made.delegate_options.empty())
        return fail(base::Fault::bad_input, "there are options for a delegate, and no delegate");
    return made;
}

}  // namespace stator::tflite
