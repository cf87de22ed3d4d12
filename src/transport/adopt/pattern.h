// A Pattern is a topic filter whose wildcards may have names: `plant/{line}/{pump}/+/#`.
//
// `{name}` stands for one level, as `+` does, and is captured. A Path finds a value in JSON:
// `$.meta.readings[0]['surface temp']`; `$` is the payload itself. A Template makes a text of
// captures: `{line}-{pump}`.
#pragma once

#include "world/outcome/outcome.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace stator::adopt {

using Captures = std::map<std::string, std::string, std::less<>>;

class Pattern {
  public:
    [[nodiscard]] static Outcome<Pattern> parse(std::string_view text);

    [[nodiscard]] const std::string& text() const { return text_; }

    [[nodiscard]] const std::string& filter() const { return filter_; }  // for SUBSCRIBE

    [[nodiscard]] bool has_wildcard() const;
    [[nodiscard]] bool captures(std::string_view name) const;
    // False when the topic is not of this pattern; then `captures` is as it was.
    [[nodiscard]] bool match(std::string_view topic, Captures& captures) const;

  private:
    struct Level {
        enum class Kind : std::uint8_t { exact, any, named, rest } kind = Kind::exact;
        std::string text;
    };

    std::string text_;
    std::string filter_;
    std::vector<Level> levels_;
};

struct Step {
    std::string key;  // of an object, unless `in_array` is set
    std::size_t index = 0;
    bool in_array = false;
};

struct Path {
    std::string text;
    std::vector<Step> steps;
};

[[nodiscard]] Outcome<Path> parse_path(std::string_view text);

class Template {
  public:
    [[nodiscard]] static Outcome<Template> parse(std::string_view text);
    [[nodiscard]] std::vector<std::string> names() const;
    [[nodiscard]] std::string fill(const Captures& captures) const;

  private:
    struct Piece {
        bool named = false;
        std::string text;
    };

    std::vector<Piece> pieces_;
};

}  // namespace stator::adopt
