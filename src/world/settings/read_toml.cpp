#include "world/settings/read_toml.h"

#include "shared/wire/json.h"

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

// Behind one bracket, or two that touch.
bool header_has_name(std::string_view line) {
    line.remove_prefix(line.find('['));
    line.remove_prefix(line.starts_with("[[") ? 2 : 1);
    const std::size_t name = line.find_first_not_of(" \t");
    return name != std::string_view::npos && begins_name(line[name]);
}

// The code point of a valid UTF-8 sequence of two bytes or more.
std::uint32_t point_of(std::string_view sequence) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(sequence[i]); };
    std::uint32_t point = byte(0) & (0x7FU >> sequence.size());
    for (std::size_t i = 1; i < sequence.size(); ++i)
        point = point << 6U | (byte(i) & 0x3FU);
    return point;
}

// Writes one text again in ASCII, line by line.
class Rewriter {
  public:
    Rewriter(std::string_view text, const std::string& file) : text_{text}, file_{file} {}

    Outcome<std::string> run() {
        constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
        if (text_.starts_with(byte_order_mark)) text_.remove_prefix(byte_order_mark.size());
        for (; !text_.empty(); ++line_) {
            const std::size_t end = text_.find('\n');
            if (const auto wrong = rewrite(text_.substr(0, end)); !wrong.empty())
                return fail(base::Fault::bad_input, fmt::format("{}:{}: {}", file_, line_, wrong));
            text_.remove_prefix(end == std::string_view::npos ? text_.size() : end + 1);
            made_ += '\n';
        }
        return std::move(made_);
    }

  private:
    // What is wrong in the line, or empty.
    std::string_view rewrite(std::string_view line) {
        if (depth_ == 0 && is_header(line) && !header_has_name(line))
            return "after [ a name is expected";
        char quote = 0;
        for (std::size_t i = 0; i < line.size();) {
            const char c = line[i];
            if (!is_ascii(c)) {
                const std::size_t length = wire::utf8_length(line.substr(i));
                if (length == 0) return "the bytes are not UTF-8";
                if (quote != '"')
                    return "a letter beyond ASCII may stand in \"double quotes\" only";
                made_ += fmt::format("\\U{:08X}", point_of(line.substr(i, length)));
                i += length;
                continue;
            }
            const std::string_view rest = line.substr(i);
            if (quote == 0 && c == '#') return {};
            if (quote == 0 && (rest.starts_with(R"(""")") || rest.starts_with("'''")))
                return "a text of several lines is not taken: write it in one";
            if (quote == '"' && c == '\\' && rest.size() > 1 && !is_ascii(rest[1]))
                return "there is no such escape";
            made_ += c;
            ++i;
            if (quote == '"' && c == '\\' && i < line.size())
                made_ += line[i++];
            else if (quote != 0)
                quote = c == quote ? '\0' : quote;
            else if (c == '"' || c == '\'')
                quote = c;
            else if (c == '[' || c == '{')
                ++depth_;
            else if ((c == ']' || c == '}') && depth_ > 0)
                --depth_;
        }
        return {};
    }

    static bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }

    std::string_view text_;
    const std::string& file_;
    std::string made_;
    std::size_t line_ = 1;
    std::size_t depth_ = 0;  // brackets that are open
};

}  // namespace

Outcome<toml::table> read_toml(std::string_view text, const std::string& file) {
    const auto ascii = Rewriter{text, file}.run();
    if (!ascii) return std::unexpected{ascii.error()};
    try {
        return toml::parse(*ascii, file);
    } catch (const toml::parse_error& error) {
        return fail(
            base::Fault::bad_input,
            fmt::format("{}:{}: {}", file, error.source().begin.line, error.description())
        );
    }
}

}  // namespace stator::settings
