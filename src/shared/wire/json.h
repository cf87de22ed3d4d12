// Json is read in place and written into the caller's buffer: no heap, bounded, strict (RFC 8259).
//
// Value::parse() checks the whole text once: syntax, UTF-8, depth, and that no object names a
// member twice (two readers must not see two different messages in the same bytes). From then on a
// Value is a view that cannot be wrong; it lives as long as the text. Asking a value for what it is
// not is Fault::bad_input, a missing member is Fault::not_found.
//
//   auto root = wire::Value::parse(text);           if (!root) return ...;
//   auto level = root->integer("level");            // Result<int64_t>
//   wire::Members members = root->members();        // or elements() of an array
//   for (wire::Member m; members.next(m);) use(m.name.is("fold"), m.value);
//
// Writer never writes past its buffer: finish() says Fault::full when it was too small.
#pragma once

#include "shared/base/fixed.h"
#include "shared/base/result.h"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace stator::wire {

inline constexpr std::size_t json_bytes_max = 256U << 10U;
inline constexpr std::size_t json_depth_max = 8;
inline constexpr std::size_t json_members_max = 128;  // of all objects open at once
inline constexpr std::size_t shown_name_bytes_max = 64;

enum class Kind : std::uint8_t { null, boolean, number, string, array, object };

class Members;
class Elements;

class Value {
  public:
    Value() = default;  // null
    // `show` is told of each member of the outermost object while the text is checked, so that one
    // pass is enough: the name as it reads, and a value that cannot be wrong. What follows may be,
    // so what was shown counts only once parse() has succeeded. An escaped name that is longer than
    // shown_name_bytes_max is not shown.
    using Show = void (*)(void* to, std::string_view name, Value value);
    [[nodiscard]] static base::Result<Value> parse(
        std::string_view text,
        std::size_t bytes_max = json_bytes_max,
        Show show = nullptr,
        void* shown_to = nullptr
    );

    [[nodiscard]] Kind kind() const;

    [[nodiscard]] std::string_view raw() const { return raw_; }

    [[nodiscard]] base::Result<double> number() const;
    [[nodiscard]] base::Result<float> number_float() const;  // finite as a float, too
    [[nodiscard]] base::Result<std::int64_t> integer() const;
    [[nodiscard]] base::Result<bool> boolean() const;
    // The text without its escapes, in `into`; Fault::full when it does not fit.
    [[nodiscard]] base::Result<std::string_view> text(std::span<char> into) const;

    template <std::size_t bytes_max>
    [[nodiscard]] base::Result<void> text(base::FixedString<bytes_max>& into) const {
        char bytes[bytes_max];
        const auto read = text(std::span<char>{bytes, bytes_max});
        if (!read) return std::unexpected{read.error()};
        into = base::FixedString<bytes_max>{*read};
        return {};
    }

    // A string that reads exactly so.
    [[nodiscard]] bool is(std::string_view text) const;

    [[nodiscard]] Members members() const;    // none when it is not an object
    [[nodiscard]] Elements elements() const;  // none when it is not an array
    [[nodiscard]] std::size_t size() const;   // members or elements

    // Members of an object by name.
    [[nodiscard]] base::Result<Value> member(std::string_view name) const;
    [[nodiscard]] base::Result<double> number(std::string_view name) const;
    [[nodiscard]] base::Result<float> number_float(std::string_view name) const;
    [[nodiscard]] base::Result<std::int64_t> integer(std::string_view name) const;
    [[nodiscard]] base::Result<bool> boolean(std::string_view name) const;

    template <std::size_t bytes_max>
    [[nodiscard]] base::Result<void> text(std::string_view name, base::FixedString<bytes_max>& into)
        const {
        const auto found = member(name);
        if (!found) return std::unexpected{found.error()};
        return found->text(into);
    }

    // The numbers of an array, all of it: Fault::full when it has more than `into`.
    [[nodiscard]] base::Result<std::size_t> numbers(std::span<float> into) const;

  private:
    friend class Members;
    friend class Elements;
    friend class Checker;

    explicit Value(std::string_view raw) : raw_{raw} {}

    std::string_view raw_ = "null";  // without blanks around it
};

struct Member {
    Value name;
    Value value;
};

class Members {
  public:
    [[nodiscard]] bool next(Member& member);

  private:
    friend class Value;
    std::string_view rest_;
};

class Elements {
  public:
    [[nodiscard]] bool next(Value& element);

  private:
    friend class Value;
    std::string_view rest_;
};

class Writer {
  public:
    explicit Writer(std::span<char> into) : into_{into} {}

    Writer& begin_object();
    Writer& end_object();
    Writer& begin_array();
    Writer& end_array();
    Writer& key(std::string_view name);

    Writer& value(std::string_view text);  // bytes that are not UTF-8 become '?'
    Writer& value(float number);           // null when not finite

    Writer& value(const char* text) { return value(std::string_view{text}); }

    template <std::integral T>
    Writer& value(T whole) {
        if constexpr (std::same_as<T, bool>)
            return literal(whole ? "true" : "false");
        else
            return integer(static_cast<std::int64_t>(whole));
    }

    template <typename T>
    Writer& member(std::string_view name, T what) {
        key(name);
        return value(what);
    }

    // A string of them in base64 (RFC 4648, padded).
    Writer& base64(std::span<const std::byte> bytes);

    // JSON that somebody else made and checked, as it stands.
    Writer& raw(std::string_view json) { return literal(json); }

    [[nodiscard]] base::Result<std::string_view> finish() const;

  private:
    Writer& integer(std::int64_t whole);
    Writer& literal(std::string_view text);
    void quoted(std::string_view text);
    void separate();
    void put(std::string_view bytes);

    std::span<char> into_;
    std::size_t size_ = 0;
    bool first_ = true;  // nothing before the next value at this place
    bool full_ = false;
};

// The length of the UTF-8 sequence at the start of `text`, 0 when it is none (RFC 3629).
[[nodiscard]] std::size_t utf8_length(std::string_view text);

}  // namespace stator::wire
