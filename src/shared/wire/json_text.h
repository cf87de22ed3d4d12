// Json's text, character by character: what the check and the reading of values share.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace stator::wire {

[[nodiscard]] constexpr bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

[[nodiscard]] constexpr bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

constexpr void skip_blanks(std::string_view& text) {
    std::size_t end = 0;
    while (end < text.size() && is_blank(text[end]))
        ++end;
    text.remove_prefix(end);
}

// One character of a string: its bytes (UTF-8) and how many characters of the text it took.
struct Glyph {
    std::array<char, 4> bytes{};
    std::size_t size = 0;
    std::size_t taken = 0;  // 0: not JSON
};

// Of the first character of a string's rest, which is not empty.
[[nodiscard]] Glyph glyph_of(std::string_view text);

}  // namespace stator::wire
