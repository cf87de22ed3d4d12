#include "shared/wire/decimal.h"
#include "shared/wire/json.h"

#include <algorithm>

namespace stator::wire {

void Writer::put(std::string_view bytes) {
    if (full_ || bytes.size() > into_.size() - size_) {
        full_ = true;
        return;
    }
    std::copy(bytes.begin(), bytes.end(), into_.begin() + static_cast<std::ptrdiff_t>(size_));
    size_ += bytes.size();
}

void Writer::separate() {
    if (!first_) put(",");
    first_ = false;
}

Writer& Writer::begin_object() {
    separate();
    put("{");
    first_ = true;
    return *this;
}

Writer& Writer::end_object() {
    put("}");
    first_ = false;
    return *this;
}

Writer& Writer::begin_array() {
    separate();
    put("[");
    first_ = true;
    return *this;
}

Writer& Writer::end_array() {
    put("]");
    first_ = false;
    return *this;
}

Writer& Writer::key(std::string_view name) {
    separate();
    quoted(name);
    put(":");
    first_ = true;
    return *this;
}

Writer& Writer::value(std::string_view text) {
    separate();
    quoted(text);
    return *this;
}

Writer& Writer::value(float number) {
    char digits[number_chars_max];
    return literal(write_float(number, digits));
}

Writer& Writer::integer(std::int64_t whole) {
    char digits[number_chars_max];
    return literal(write_integer(whole, digits));
}

Writer& Writer::literal(std::string_view text) {
    separate();
    put(text);
    return *this;
}

Writer& Writer::base64(std::span<const std::byte> bytes) {
    constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    separate();
    put("\"");
    for (; !bytes.empty(); bytes = bytes.subspan(std::min<std::size_t>(bytes.size(), 3))) {
        const std::size_t count = std::min<std::size_t>(bytes.size(), 3);
        std::uint32_t three = 0;
        for (std::size_t i = 0; i < 3; ++i)
            three = three << 8U | (i < count ? std::to_integer<std::uint32_t>(bytes[i]) : 0U);
        char four[] = "====";
        for (std::size_t i = 0; i <= count; ++i)
            four[i] = digits[three >> (18 - 6 * i) & 63U];
        put({four, 4});
    }
    put("\"");
    return *this;
}

void Writer::quoted(std::string_view text) {
    constexpr std::string_view hex = "0123456789abcdef";
    put("\"");
    while (!text.empty()) {
        const char c = text.front();
        const std::size_t length = utf8_length(text);
        if (length == 0) {
            put("?");
        } else if (c == '"' || c == '\\') {
            put("\\");
            put(text.substr(0, 1));
        } else if (static_cast<unsigned char>(c) < 0x20) {
            const auto low = static_cast<unsigned char>(c);
            put("\\u00");
            put(hex.substr(low >> 4U, 1));
            put(hex.substr(low & 15U, 1));
        } else {
            put(text.substr(0, length));
        }
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    put("\"");
}

base::Result<std::string_view> Writer::finish() const {
    if (full_) return std::unexpected{base::Fault::full};
    return std::string_view{into_.data(), size_};
}

}  // namespace stator::wire
