#include "world/settings/read_toml.h"

#include <fmt/format.h>

#include <algorithm>

namespace stator::settings {

namespace {

bool begins_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '"' || c == '\'';
}

bool is_header(std::string_view line) {
    return line.substr(std::min(line.find_first_not_of(" \t"), line.size())).starts_with('[');
}

bool header_has_name(std::string_view line) {
    const std::size_t name = line.find_first_not_of("[ \t");
    return name != std::string_view::npos && begins_name(line[name]);
}

// Where the string that begins `text` ends, with its quotes; the whole of it where it does not.
std::size_t length_of_string(std::string_view text) {
    const char quote = text.front();
    for (std::size_t i = 1; i < text.size(); ++i) {
        if (text[i] == quote) return i + 1;
        if (text[i] == '\\' && quote == '"') ++i;
    }
    return text.size();
}

// What toml++ must not see in a line, or empty. `depth` counts the brackets that are open.
std::string_view wrong_in(std::string_view line, std::size_t& depth) {
    if (depth == 0 && is_header(line) && !header_has_name(line))
        return "after [ a name is expected";
    while (!line.empty() && line.front() != '#') {
        const char c = line.front();
        std::size_t taken = 1;
        if (line.starts_with(R"(""")") || line.starts_with("'''"))
            return "a text of several lines is not taken: write it in one";
        if (c == '"' || c == '\'') taken = length_of_string(line);
        if (static_cast<unsigned char>(c) >= 0x80)
            return "a letter beyond ASCII stands outside quotes";
        if (c == '[' || c == '{') ++depth;
        if ((c == ']' || c == '}') && depth > 0) --depth;
        line.remove_prefix(std::min(taken, line.size()));
    }
    return {};
}

Outcome<void> check(std::string_view text, const std::string& file) {
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
    std::size_t depth = 0;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::size_t end = text.find('\n');
        if (const auto wrong = wrong_in(text.substr(0, end), depth); !wrong.empty())
            return fail(base::Fault::bad_input, fmt::format("{}:{}: {}", file, number, wrong));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return {};
}

}  // namespace

Outcome<toml::table> read_toml(std::string_view text, const std::string& file) {
    if (auto good = check(text, file); !good) return std::unexpected{good.error()};
    try {
        return toml::parse(text, file);
    } catch (const toml::parse_error& error) {
        return fail(
            base::Fault::bad_input,
            fmt::format("{}:{}: {}", file, error.source().begin.line, error.description())
        );
    }
}

}  // namespace stator::settings
