#include "shared/wire/decimal.h"
#include "shared/wire/json.h"
#include "shared/wire/json_text.h"

#include <algorithm>

namespace stator::wire {
namespace {

using base::Fault;
using base::Result;

// The length of the string, or of the value, at the start of a text that was checked.
std::size_t length_of_string(std::string_view text) {
    std::size_t i = 1;
    while (i < text.size() && text[i] != '"')
        i += text[i] == '\\' ? 2 : 1;
    return std::min(i + 1, text.size());
}

std::size_t length_of_value(std::string_view text) {
    if (text.empty()) return 0;
    if (text.front() == '"') return length_of_string(text);
    std::size_t i = 0;
    if (text.front() != '{' && text.front() != '[') {
        const auto goes_on = [](char c) {
            return c != ',' && c != ':' && c != '}' && c != ']' && !is_blank(c);
        };
        while (i < text.size() && goes_on(text[i]))
            ++i;
        return i;
    }
    for (std::size_t depth = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '"') {
            i += length_of_string(text.substr(i)) - 1;
        } else if (c == '{' || c == '[') {
            ++depth;
        } else if ((c == '}' || c == ']') && --depth == 0) {
            return i + 1;
        }
    }
    return text.size();
}

// Takes the next value off `rest`, and the comma or colon and blanks behind it.
std::string_view take_value(std::string_view& rest) {
    skip_blanks(rest);
    const std::string_view value = rest.substr(0, length_of_value(rest));
    rest.remove_prefix(value.size());
    skip_blanks(rest);
    if (!rest.empty() && (rest.front() == ',' || rest.front() == ':')) rest.remove_prefix(1);
    skip_blanks(rest);
    return value;
}

std::string_view inside(std::string_view raw) {
    std::string_view rest = raw.substr(1, raw.size() - 2);
    skip_blanks(rest);
    return rest;
}

}  // namespace

Kind Value::kind() const {
    switch (raw_.front()) {
        case '{':
            return Kind::object;
        case '[':
            return Kind::array;
        case '"':
            return Kind::string;
        case 't':
        case 'f':
            return Kind::boolean;
        case 'n':
            return Kind::null;
        default:
            return Kind::number;
    }
}

Result<double> Value::number() const {
    if (kind() != Kind::number) return std::unexpected{Fault::bad_input};
    return to_double(raw_);
}

Result<float> Value::number_float() const {
    const auto wide = number();
    if (!wide) return std::unexpected{wide.error()};
    if (*wide > 3.4028234663852886e38 || *wide < -3.4028234663852886e38)
        return std::unexpected{Fault::bad_input};
    return static_cast<float>(*wide);
}

Result<std::int64_t> Value::integer() const {
    if (kind() != Kind::number) return std::unexpected{Fault::bad_input};
    return to_integer(raw_);
}

Result<bool> Value::boolean() const {
    if (kind() != Kind::boolean) return std::unexpected{Fault::bad_input};
    return raw_.front() == 't';
}

Result<std::string_view> Value::text(std::span<char> into) const {
    if (kind() != Kind::string) return std::unexpected{Fault::bad_input};
    std::string_view rest = raw_.substr(1, raw_.size() - 2);
    std::size_t size = 0;
    if (!rest.contains('\\')) {
        if (rest.size() > into.size()) return std::unexpected{Fault::full};
        size = rest.copy(into.data(), rest.size());
        rest = {};
    }
    while (!rest.empty()) {
        const Glyph glyph = glyph_of(rest);
        if (glyph.size > into.size() - size) return std::unexpected{Fault::full};
        for (std::size_t i = 0; i < glyph.size; ++i)
            into[size++] = glyph.bytes[i];
        rest.remove_prefix(glyph.taken);
    }
    return std::string_view{into.data(), size};
}

bool Value::is(std::string_view text) const {
    if (kind() != Kind::string) return false;
    std::string_view rest = raw_.substr(1, raw_.size() - 2);
    // An escape is longer than what it stands for; most strings differ at the first look.
    if (rest.size() <= text.size()) return rest == text && !text.contains('\\');
    if (!text.empty() && rest.front() != text.front() && rest.front() != '\\') return false;
    if (rest.find('\\') == std::string_view::npos) return false;
    while (!rest.empty()) {
        const Glyph glyph = glyph_of(rest);
        if (!text.starts_with(std::string_view{glyph.bytes.data(), glyph.size})) return false;
        text.remove_prefix(glyph.size);
        rest.remove_prefix(glyph.taken);
    }
    return text.empty();
}

Members Value::members() const {
    Members members;
    if (kind() == Kind::object) members.rest_ = inside(raw_);
    return members;
}

Elements Value::elements() const {
    Elements elements;
    if (kind() == Kind::array) elements.rest_ = inside(raw_);
    return elements;
}

std::size_t Value::size() const {
    std::size_t count = 0;
    Members own_members = members();
    for (Member member; own_members.next(member);)
        ++count;
    Elements own_elements = elements();
    for (Value element; own_elements.next(element);)
        ++count;
    return count;
}

Result<Value> Value::member(std::string_view name) const {
    if (kind() != Kind::object) return std::unexpected{Fault::bad_input};
    Members all = members();
    for (Member member; all.next(member);)
        if (member.name.is(name)) return member.value;
    return std::unexpected{Fault::not_found};
}

Result<double> Value::number(std::string_view name) const {
    const auto found = member(name);
    if (!found) return std::unexpected{found.error()};
    return found->number();
}

Result<float> Value::number_float(std::string_view name) const {
    const auto found = member(name);
    if (!found) return std::unexpected{found.error()};
    return found->number_float();
}

Result<std::int64_t> Value::integer(std::string_view name) const {
    const auto found = member(name);
    if (!found) return std::unexpected{found.error()};
    return found->integer();
}

Result<bool> Value::boolean(std::string_view name) const {
    const auto found = member(name);
    if (!found) return std::unexpected{found.error()};
    return found->boolean();
}

Result<std::size_t> Value::numbers(std::span<float> into) const {
    if (kind() != Kind::array) return std::unexpected{Fault::bad_input};
    std::size_t count = 0;
    Elements all = elements();
    for (Value element; all.next(element);) {
        const auto number = element.number_float();
        if (!number) return std::unexpected{number.error()};
        if (count == into.size()) return std::unexpected{Fault::full};
        into[count++] = *number;
    }
    return count;
}

bool Members::next(Member& member) {
    if (rest_.empty()) return false;
    member.name = Value{take_value(rest_)};
    member.value = Value{take_value(rest_)};
    return true;
}

bool Elements::next(Value& element) {
    if (rest_.empty()) return false;
    element = Value{take_value(rest_)};
    return true;
}

}  // namespace stator::wire
