#include "shared/wire/decimal.h"
#include "shared/wire/json.h"
#include "shared/wire/json_text.h"

#include <array>
#include <bit>

namespace stator::wire {
namespace {

using base::Fault;
using base::Result;

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

Result<Value> Value::parse(
    std::string_view text, std::size_t bytes_max, Show show, void* shown_to
) {
    if (text.size() > bytes_max) return std::unexpected{Fault::full};
    if (!Checker{text, show, shown_to}.document()) return std::unexpected{Fault::bad_input};
    skip_blanks(text);
    return Value{text.substr(0, text.find_last_not_of(" \t\r\n") + 1)};
}

}  // namespace stator::wire
