#include "decide/line/frame.h"

#include <fmt/format.h>

#include <charconv>

namespace stator::line {

namespace {

constexpr std::string_view answer_start = "inference value from the edge tpu = ";
constexpr std::string_view space = " \t\r\n";

}  // namespace

Frame next_frame(std::string_view bytes) {
    const std::size_t begin = bytes.find_first_not_of(space);
    if (begin == std::string_view::npos) return {Cut::nothing, bytes.size(), bytes.size()};
    if (bytes[begin] != '{') {
        const std::size_t line = bytes.find('\n', begin);
        const std::size_t end = line == std::string_view::npos ? bytes.size() : line + 1;
        return {Cut::nonsense, begin, end};
    }
    std::size_t depth = 0;
    bool in_string = false;
    for (std::size_t i = begin; i < bytes.size() && i - begin < message_bytes_max; ++i) {
        const char c = bytes[i];
        if (in_string) {
            if (c == '\\') ++i;
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{') {
            ++depth;
        } else if (c == '}' && --depth == 0) {
            return {Cut::object, begin, i + 1};
        }
    }
    const bool too_long = bytes.size() - begin >= message_bytes_max;
    return {too_long ? Cut::too_long : Cut::more, begin, too_long ? bytes.size() : begin};
}

std::string write_answer(float value) {
    return fmt::format("{}{}\n", answer_start, value);
}

std::string write_error(std::string_view what) {
    std::string text = "error: ";
    for (const char c : what.substr(0, answer_bytes_max - text.size() - 1))
        text += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
    return text + '\n';
}

std::optional<float> read_answer(std::string_view text) {
    if (!text.starts_with(answer_start)) return std::nullopt;
    text.remove_prefix(answer_start.size());
    const std::size_t last = text.find_last_not_of(space);
    if (last == std::string_view::npos) return std::nullopt;
    float value = 0.0F;
    const char* const end = text.data() + last + 1;
    const auto [stopped, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || stopped != end || !(value >= 0.0F && value <= 1.0F))
        return std::nullopt;
    return value;
}

}  // namespace stator::line
