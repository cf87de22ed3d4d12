#include "shared/wire/decimal.h"
#include "shared/wire/json.h"

#include <algorithm>
#include <array>
#include <bit>

namespace stator::wire {
namespace {

using base::Fault;
using base::Result;

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void skip_blanks(std::string_view& text) {
    std::size_t end = 0;
    while (end < text.size() && is_blank(text[end]))
        ++end;
    text.remove_prefix(end);
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

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

// One character of a string: its bytes (UTF-8) and how many characters of the text it took.
struct Glyph {
    std::array<char, 4> bytes{};
    std::size_t size = 0;
    std::size_t taken = 0;  // 0: not JSON
};

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

Glyph glyph_of(std::string_view text) {
    if (text.front() == '\\') return escape(text);
    if (static_cast<unsigned char>(text.front()) < 0x20) return {};
    Glyph glyph;
    glyph.size = glyph.taken = utf8_length(text);
    for (std::size_t i = 0; i < glyph.size; ++i)
        glyph.bytes[i] = text[i];
    return glyph;
}

constexpr std::size_t plain_digits_max = 300;  // a double ends above 10^308

// ASCII that stands for itself: nearly all there is, and told at one look.
bool is_plain(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 && byte < 0x80 && c != '\\';
}

constexpr std::uint64_t each_byte(unsigned char byte) {
    return 0x0101010101010101U * byte;
}

inline std::uint64_t eight_bytes(const char* at) {
    std::uint64_t word = 0;
    __builtin_memcpy(&word, at, sizeof word);
    return word;
}

// How many of the eight characters, from the first on, are plain and no quote.
[[gnu::always_inline]] inline std::size_t plain_bytes(std::uint64_t word) {
    static_assert(std::endian::native == std::endian::little);
    // Where a byte of the word is 0, or below `bound`, its top bit is set; a borrow may set bits
    // above the first such byte only.
    const auto below = [](std::uint64_t bytes, unsigned char bound) {
        return (bytes - each_byte(bound)) & ~bytes;
    };
    const std::uint64_t found = (below(word, 0x20) | below(word ^ each_byte('"'), 1) |
                                 below(word ^ each_byte('\\'), 1) | word) &
                                each_byte(0x80);
    return static_cast<std::size_t>(std::countr_zero(found)) / 8;  // 64 / 8 when there is none
}

// A hash of the characters that a name stands for, so that an escaped name is the same name.
class NameHash {
  public:
    void take(char c) {
        word_ |= std::uint64_t{static_cast<unsigned char>(c)} << (8 * (size_ % 8));
        if (++size_ % 8 == 0) mix();
    }

    void take_eight(std::uint64_t word) {  // only while what came before were eights
        word_ = word;
        size_ += 8;
        mix();
    }

    void take_fewer(std::uint64_t word, std::size_t count) {  // the first of a word, after eights
        word_ = word & ((std::uint64_t{1} << (8 * count)) - 1);
        size_ += count;
    }

    [[nodiscard]] std::uint64_t value() {
        mix();
        word_ = size_;
        mix();
        return hash_;
    }

  private:
    void mix() {
        hash_ = (hash_ ^ word_) * 0x9E3779B97F4A7C15U;
        hash_ ^= hash_ >> 32U;
        word_ = 0;
    }

    std::uint64_t hash_ = 0xCBF29CE484222325U;
    std::uint64_t word_ = 0;
    std::uint64_t size_ = 0;
};

}  // namespace

// Checks a text by one pass; `at_` never leaves it.
class Checker {
  public:
    // `show` may be null; it is told of the outermost object's members.
    Checker(std::string_view text, Value::Show show_member, void* shown_to)
        : text_{text}, show_{show_member}, shown_to_{shown_to} {}

    bool document() {
        if (!value(0)) return false;
        blanks_();
        return at_ == text_.size();
    }

  private:
    [[nodiscard]] bool more() const { return at_ < text_.size(); }

    bool take(char c) {
        if (!more() || text_[at_] != c) return false;
        ++at_;
        return true;
    }

    void blanks_() {
        while (more() && is_blank(text_[at_]))
            ++at_;
    }

    bool literal(std::string_view word) {
        if (!text_.substr(at_).starts_with(word)) return false;
        at_ += word.size();
        return true;
    }

    bool value(std::size_t depth) {
        blanks_();
        if (!more()) return false;
        switch (text_[at_]) {
            case '{':
                return depth < json_depth_max && object(depth + 1);
            case '[':
                return depth < json_depth_max && array(depth + 1);
            case '"':
                return string();
            case 't':
                return literal("true");
            case 'f':
                return literal("false");
            case 'n':
                return literal("null");
            default:
                return number();
        }
    }

    bool object(std::size_t depth) {
        ++at_;
        const std::size_t first = hashes_;
        blanks_();
        if (take('}')) return true;
        do {
            blanks_();
            if (!more() || text_[at_] != '"') return false;
            const std::size_t name_at = at_;
            bool plain = true;
            if (!name(first, plain)) return false;
            const std::string_view name = text_.substr(name_at, at_ - name_at);
            blanks_();
            if (!take(':')) return false;
            blanks_();
            const std::size_t value_at = at_;
            if (!value(depth)) return false;
            if (depth == 1 && show_ != nullptr)
                show(name, plain, text_.substr(value_at, at_ - value_at));
            blanks_();
        } while (take(','));
        hashes_ = first;
        return take('}');
    }

    void show(std::string_view name, bool plain, std::string_view value) {
        if (plain) {
            show_(shown_to_, name.substr(1, name.size() - 2), Value{value});
            return;
        }
        std::array<char, shown_name_bytes_max> bytes{};
        if (const auto text = Value{name}.text(bytes)) show_(shown_to_, *text, Value{value});
    }

    bool array(std::size_t depth) {
        ++at_;
        blanks_();
        if (take(']')) return true;
        do {
            if (!value(depth)) return false;
            blanks_();
        } while (take(','));
        return take(']');
    }

    // The word of the next eight characters, and how many of them are plain: 0 where fewer are
    // left.
    std::size_t plain_ahead(std::uint64_t& word) const {
        if (text_.size() - at_ < 8) return 0;
        word = eight_bytes(text_.data() + at_);
        return plain_bytes(word);
    }

    // Passes over the rest of a string, and gives each byte that it stands for to `take_byte`.
    template <typename TakeByte>
    bool characters(TakeByte take_byte) {
        while (more() && text_[at_] != '"') {
            if (is_plain(text_[at_])) {
                take_byte(text_[at_++]);
                continue;
            }
            const Glyph glyph = glyph_of(text_.substr(at_));
            if (glyph.taken == 0) return false;
            for (std::size_t i = 0; i < glyph.size; ++i)
                take_byte(glyph.bytes[i]);
            at_ += glyph.taken;
        }
        return take('"');
    }

    bool string() {
        ++at_;
        std::uint64_t word = 0;
        std::size_t plain = 8;
        while (plain == 8) {
            plain = plain_ahead(word);
            at_ += plain;
        }
        return characters([](char) {});
    }

    // False for a name that this object has had, too. `plain`: it stands for its own characters.
    bool name(std::size_t first, bool& plain) {
        const std::size_t begin = ++at_;
        NameHash hash;
        std::uint64_t word = 0;
        std::size_t ahead = plain_ahead(word);
        for (; ahead == 8; ahead = plain_ahead(word)) {
            hash.take_eight(word);
            at_ += 8;
        }
        hash.take_fewer(word, ahead);
        at_ += ahead;
        std::size_t taken = at_ - begin;
        const bool whole = characters([&](char c) {
            hash.take(c);
            ++taken;
        });
        if (!whole || hashes_ == hash_.size()) return false;
        plain = taken == at_ - 1 - begin;
        const std::uint64_t value = hash.value();
        for (std::size_t i = first; i < hashes_; ++i)
            if (hash_[i] == value) return false;
        hash_[hashes_++] = value;
        return true;
    }

    bool digits() {
        const std::size_t first = at_;
        while (more() && is_digit(text_[at_]))
            ++at_;
        return at_ > first;
    }

    bool number() {
        const std::size_t first = at_;
        static_cast<void>(take('-'));
        if (!take('0') && !digits()) return false;
        if (take('.') && !digits()) return false;
        const bool scaled = take('e') || take('E');
        if (scaled) {
            if (!take('+')) static_cast<void>(take('-'));
            if (!digits()) return false;
        }
        // Without an exponent so few digits are a double, whatever they are.
        if (!scaled && at_ - first < plain_digits_max) return true;
        return to_double(text_.substr(first, at_ - first)).has_value();
    }

    std::string_view text_;
    Value::Show show_;
    void* shown_to_;
    std::size_t at_ = 0;
    std::size_t hashes_ = 0;
    std::array<std::uint64_t, json_members_max> hash_;  // the first `hashes_` are
};

namespace {

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

Result<Value> Value::parse(
    std::string_view text, std::size_t bytes_max, Show show, void* shown_to
) {
    if (text.size() > bytes_max) return std::unexpected{Fault::full};
    if (!Checker{text, show, shown_to}.document()) return std::unexpected{Fault::bad_input};
    skip_blanks(text);
    return Value{text.substr(0, text.find_last_not_of(" \t\r\n") + 1)};
}

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
