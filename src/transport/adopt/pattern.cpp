#include "transport/adopt/pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace stator::adopt {

namespace {

constexpr std::size_t topic_bytes_max = 1024;
constexpr std::size_t steps_max = 16;
constexpr std::size_t index_max = 65'535;

std::unexpected<Error> wrong(std::string what) {
    return fail(base::Fault::bad_input, std::move(what));
}

bool is_name(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_';
    });
}

// The level of `rest` up to the next '/', which is cut off; `last` when there was none.
std::string_view cut_level(std::string_view& rest, bool& last) {
    const std::size_t slash = rest.find('/');
    const std::string_view level = rest.substr(0, slash);
    last = slash == std::string_view::npos;
    rest.remove_prefix(last ? rest.size() : slash + 1);
    return level;
}

// `['name']` or `[3]` at the start of `rest`, which is cut off.
Outcome<Step> cut_bracket(std::string_view& rest) {
    Step step;
    const bool quoted = rest.size() > 1 && (rest[1] == '\'' || rest[1] == '"');
    if (quoted) {
        const std::size_t end = rest.find(std::string{rest[1], ']'}, 2);
        if (end == std::string_view::npos) return wrong("a ['name'] is not closed");
        step.key = rest.substr(2, end - 2);
        rest.remove_prefix(end + 2);
        return step;
    }
    const std::size_t end = rest.find(']');
    if (end == std::string_view::npos) return wrong("a [ is not closed");
    const std::string_view digits = rest.substr(1, end - 1);
    const auto [at, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), step.index);
    if (error != std::errc{} || at != digits.data() + digits.size() || step.index > index_max)
        return wrong(fmt::format("[{}] is neither a place in an array nor a ['name']", digits));
    step.in_array = true;
    rest.remove_prefix(end + 1);
    return step;
}

}  // namespace

Outcome<Pattern> Pattern::parse(std::string_view text) {
    if (text.empty() || text.size() > topic_bytes_max) return wrong("a topic has 1 to 1024 bytes");
    if (text.find('\0') != std::string_view::npos) return wrong("a topic holds no NUL");
    Pattern made;
    made.text_ = text;
    bool last = false;
    for (std::string_view rest = text; !last;) {
        const std::string_view level = cut_level(rest, last);
        Level known{Level::Kind::exact, std::string{level}};
        if (level == "+") {
            known.kind = Level::Kind::any;
        } else if (level == "#") {
            if (!last) return wrong("a # may only be the last level");
            known.kind = Level::Kind::rest;
        } else if (level.starts_with('{') && level.ends_with('}')) {
            known.kind = Level::Kind::named;
            known.text = level.substr(1, level.size() - 2);
            if (!is_name(known.text))
                return wrong(fmt::format("{} is not a name of letters, digits and _", level));
            if (made.captures(known.text)) return wrong(fmt::format("{} stands twice", level));
        } else if (level.find_first_of("+#{}") != std::string_view::npos) {
            return wrong(fmt::format("level {}: +, # and {{name}} must be a whole level", level));
        }
        const bool wild = known.kind == Level::Kind::any || known.kind == Level::Kind::named;
        made.filter_ += made.levels_.empty() ? "" : "/";
        made.filter_ += wild ? std::string_view{"+"} : level;
        made.levels_.push_back(std::move(known));
    }
    return made;
}

bool Pattern::has_wildcard() const {
    return std::ranges::any_of(levels_, [](const Level& level) {
        return level.kind != Level::Kind::exact;
    });
}

bool Pattern::captures(std::string_view name) const {
    return std::ranges::any_of(levels_, [&](const Level& level) {
        return level.kind == Level::Kind::named && level.text == name;
    });
}

bool Pattern::match(std::string_view topic, Captures& captures) const {
    // Wildcards do not match the broker's own topics (MQTT 5, 4.7.2).
    if (topic.starts_with('$') && levels_.front().kind != Level::Kind::exact) return false;
    std::vector<std::pair<std::string_view, std::string_view>> found;
    bool last = false;
    std::string_view rest = topic;
    for (const Level& level : levels_) {
        if (level.kind == Level::Kind::rest) {
            last = true;
            break;  // `a/#` is of `a` too
        }
        if (last) return false;
        const std::string_view have = cut_level(rest, last);
        if (level.kind == Level::Kind::exact && have != level.text) return false;
        if (level.kind == Level::Kind::named) found.emplace_back(level.text, have);
    }
    if (!last) return false;
    for (const auto& [name, value] : found)
        captures.insert_or_assign(std::string{name}, std::string{value});
    return true;
}

Outcome<Path> parse_path(std::string_view text) {
    Path made;
    made.text = text;
    std::string_view rest = text;
    if (!rest.starts_with('$')) return wrong("a path begins with $: $.readings[0].value");
    rest.remove_prefix(1);
    while (!rest.empty()) {
        if (made.steps.size() == steps_max) return wrong("a path has at most 16 steps");
        if (rest.front() == '[') {
            auto step = cut_bracket(rest);
            if (!step) return std::unexpected(step.error());
            made.steps.push_back(std::move(*step));
        } else if (rest.front() == '.') {
            rest.remove_prefix(1);
            const std::size_t end = std::min(rest.find_first_of(".["), rest.size());
            if (end == 0) return wrong("a name is empty");
            made.steps.push_back({.key = std::string{rest.substr(0, end)}});
            rest.remove_prefix(end);
        } else {
            return wrong(fmt::format("after {} a . or a [ is expected", made.text));
        }
    }
    return made;
}

Outcome<Template> Template::parse(std::string_view text) {
    Template made;
    while (!text.empty()) {
        const std::size_t open = text.find('{');
        if (open > 0)
            made.pieces_.push_back({.named = false, .text = std::string{text.substr(0, open)}});
        if (open == std::string_view::npos) break;
        const std::size_t close = text.find('}', open);
        if (close == std::string_view::npos) return wrong("a { is not closed");
        const std::string_view name = text.substr(open + 1, close - open - 1);
        if (!is_name(name))
            return wrong(fmt::format("{{{}}} is not a name of letters, digits and _", name));
        made.pieces_.push_back({.named = true, .text = std::string{name}});
        text.remove_prefix(close + 1);
    }
    if (made.pieces_.empty()) return wrong("is empty");
    return made;
}

std::vector<std::string> Template::names() const {
    std::vector<std::string> made;
    for (const Piece& piece : pieces_)
        if (piece.named) made.push_back(piece.text);
    return made;
}

std::string Template::fill(const Captures& captures) const {
    std::string made;
    for (const Piece& piece : pieces_) {
        const auto found = piece.named ? captures.find(piece.text) : captures.end();
        if (!piece.named)
            made += piece.text;
        else if (found != captures.end())
            made += found->second;
    }
    return made;
}

}  // namespace stator::adopt
