#include "shared/wire/json_text.h"

#include "shared/wire/json.h"

#include <cstdint>

namespace stator::wire {
namespace {

int hex_digit(char c) {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// The code unit of the four digits after \u, or -1.
std::int32_t code_unit(std::string_view text) {
    if (text.size() < 4) return -1;
    std::int32_t unit = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        const int digit = hex_digit(text[i]);
        if (digit < 0) return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

Glyph encode(std::uint32_t point, std::size_t taken) {
    Glyph glyph;
    glyph.taken = taken;
    const auto tail = [](std::uint32_t bits) { return static_cast<char>(0x80U | (bits & 0x3FU)); };
    if (point < 0x80) {
        glyph.bytes = {static_cast<char>(point)};
        glyph.size = 1;
    } else if (point < 0x800) {
        glyph.bytes = {static_cast<char>(0xC0U | point >> 6U), tail(point)};
        glyph.size = 2;
    } else if (point < 0x10000) {
        glyph.bytes = {static_cast<char>(0xE0U | point >> 12U), tail(point >> 6U), tail(point)};
        glyph.size = 3;
    } else {
        glyph.bytes = {
            static_cast<char>(0xF0U | point >> 18U),
            tail(point >> 12U),
            tail(point >> 6U),
            tail(point)
        };
        glyph.size = 4;
    }
    return glyph;
}

Glyph escape(std::string_view text) {  // starts at the backslash
    if (text.size() < 2) return {};
    constexpr std::string_view names = "\"\\/bfnrt";
    constexpr std::string_view values = "\"\\/\b\f\n\r\t";
    const std::size_t at = names.find(text[1]);
    if (at != std::string_view::npos) return encode(static_cast<unsigned char>(values[at]), 2);
    if (text[1] != 'u') return {};
    const std::int32_t high = code_unit(text.substr(2));
    if (high < 0 || (high >= 0xDC00 && high <= 0xDFFF)) return {};
    if (high < 0xD800 || high > 0xDFFF) return encode(static_cast<std::uint32_t>(high), 6);
    const std::string_view second = text.substr(6);
    if (!second.starts_with("\\u")) return {};
    const std::int32_t low = code_unit(second.substr(2));
    if (low < 0xDC00 || low > 0xDFFF) return {};
    return encode(
        0x10000U + (static_cast<std::uint32_t>(high - 0xD800) << 10U) +
            static_cast<std::uint32_t>(low - 0xDC00),
        12
    );
}

}  // namespace

Glyph glyph_of(std::string_view text) {
    if (text.front() == '\\') return escape(text);
    if (static_cast<unsigned char>(text.front()) < 0x20) return {};
    Glyph glyph;
    glyph.size = glyph.taken = utf8_length(text);
    for (std::size_t i = 0; i < glyph.size; ++i)
        glyph.bytes[i] = text[i];
    return glyph;
}

std::size_t utf8_length(std::string_view text) {
    if (text.empty()) return 0;
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byte(0);
    if (lead < 0x80) return 1;
    std::size_t length = 0;
    unsigned char second_min = 0x80;
    unsigned char second_max = 0xBF;
    if (lead >= 0xC2 && lead <= 0xDF) {
        length = 2;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
        length = 3;
        if (lead == 0xE0) second_min = 0xA0;  // not overlong
        if (lead == 0xED) second_max = 0x9F;  // no surrogates
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        length = 4;
        if (lead == 0xF0) second_min = 0x90;
        if (lead == 0xF4) second_max = 0x8F;  // up to U+10FFFF
    }
    if (length == 0 || text.size() < length) return 0;
    if (byte(1) < second_min || byte(1) > second_max) return 0;
    for (std::size_t i = 2; i < length; ++i)
        if (byte(i) < 0x80 || byte(i) > 0xBF) return 0;
    return length;
}

}  // namespace stator::wire
