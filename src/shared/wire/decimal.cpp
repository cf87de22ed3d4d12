#include "shared/wire/decimal.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace stator::wire {
namespace {

using base::Fault;
using base::Result;

constexpr std::array<double, 23> exact_powers = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                 1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

// A whole number of at most 1,280 bits: 2^64 * 10^308 and 10^362 fit.
class Big {
  public:
    explicit Big(std::uint64_t value) {
        words_[0] = static_cast<std::uint32_t>(value);
        words_[1] = static_cast<std::uint32_t>(value >> 32U);
    }

    void multiply(std::uint32_t by) {
        std::uint64_t carry = 0;
        for (auto& word : words_) {
            carry += std::uint64_t{word} * by;
            word = static_cast<std::uint32_t>(carry);
            carry >>= 32U;
        }
    }

    void multiply_power_of_ten(int exponent) {
        for (; exponent >= 9; exponent -= 9)
            multiply(1'000'000'000U);
        for (; exponent > 0; --exponent)
            multiply(10U);
    }

    void shift_left(int bits) {
        const auto whole = static_cast<std::size_t>(bits / 32);
        const auto part = static_cast<unsigned>(bits % 32);
        for (std::size_t i = words_.size(); i-- > 0;) {
            std::uint64_t word = i >= whole ? std::uint64_t{words_[i - whole]} << 32U : 0;
            if (i >= whole + 1) word |= words_[i - whole - 1];
            words_[i] = static_cast<std::uint32_t>(word << part >> 32U);
        }
    }

    [[nodiscard]] int bit_length() const {
        for (std::size_t i = words_.size(); i-- > 0;)
            if (words_[i] != 0)
                return static_cast<int>(32 * i) + static_cast<int>(std::bit_width(words_[i]));
        return 0;
    }

    [[nodiscard]] bool bit(int index) const {
        return index >= 0 &&
               (words_[static_cast<std::size_t>(index / 32)] >> (index % 32) & 1U) != 0;
    }

    [[nodiscard]] bool any_bit_below(int index) const {
        for (int i = 0; i < index; ++i)
            if (bit(i)) return true;
        return false;
    }

    [[nodiscard]] bool at_least(const Big& other) const {
        for (std::size_t i = words_.size(); i-- > 0;)
            if (words_[i] != other.words_[i]) return words_[i] > other.words_[i];
        return true;
    }

    void subtract(const Big& other) {
        std::int64_t borrow = 0;
        for (std::size_t i = 0; i < words_.size(); ++i) {
            borrow += std::int64_t{words_[i]} - std::int64_t{other.words_[i]};
            words_[i] = static_cast<std::uint32_t>(borrow);
            borrow >>= 32;
        }
    }

  private:
    std::array<std::uint32_t, 40> words_{};
};

struct Decimal {  // digits * 10^exponent
    bool negative = false;
    std::uint64_t digits = 0;
    int exponent = 0;
};

Decimal read(std::string_view text) {
    Decimal decimal;
    std::size_t i = 0;
    if (i < text.size() && text[i] == '-') {
        decimal.negative = true;
        ++i;
    }
    bool fraction = false;
    int kept = 0;
    for (; i < text.size() && text[i] != 'e' && text[i] != 'E'; ++i) {
        if (text[i] == '.') {
            fraction = true;
            continue;
        }
        const auto digit = static_cast<std::uint64_t>(text[i] - '0');
        if (kept < 19) {
            decimal.digits = decimal.digits * 10 + digit;
            if (decimal.digits != 0) ++kept;
            decimal.exponent -= fraction ? 1 : 0;
        } else {
            decimal.exponent += fraction ? 0 : 1;
        }
    }
    if (i == text.size()) return decimal;
    ++i;
    const bool down = i < text.size() && text[i] == '-';
    if (i < text.size() && (text[i] == '-' || text[i] == '+')) ++i;
    int exponent = 0;
    for (; i < text.size(); ++i)
        exponent = std::min(exponent * 10 + (text[i] - '0'), 1'000'000);
    decimal.exponent += down ? -exponent : exponent;
    return decimal;
}

// mantissa * 2^exponent with the rest below it, rounded to nearest, ties to even (IEEE 754).
// `mantissa` has exactly 64 significant bits.
double round(std::uint64_t mantissa, int exponent, bool rest) {
    int drop = 11;                          // 64 -> 53 bits
    const int lowest = exponent + 64 - 53;  // exponent of the last kept bit of a normal number
    if (lowest < -1074) drop += -1074 - lowest;
    if (drop > 64) return 0.0;
    std::uint64_t kept = drop == 64 ? 0 : mantissa >> drop;
    const std::uint64_t half = std::uint64_t{1} << (drop - 1);
    const std::uint64_t below = drop == 64 ? mantissa : mantissa & ((half << 1U) - 1);
    if (below > half || (below == half && (rest || (kept & 1U) != 0))) ++kept;
    exponent += drop;
    if (kept == std::uint64_t{1} << 53U) {
        kept >>= 1U;
        ++exponent;
    }
    if (kept >= std::uint64_t{1} << 52U) {  // normal
        const int biased = exponent + 1075;
        if (biased >= 2047) return std::numeric_limits<double>::infinity();
        return std::bit_cast<double>(
            (static_cast<std::uint64_t>(biased) << 52U) | (kept & ((std::uint64_t{1} << 52U) - 1))
        );
    }
    return std::bit_cast<double>(kept);
}

double exactly(std::uint64_t digits, int exponent) {
    if (exponent >= 0) {
        Big big{digits};
        big.multiply_power_of_ten(exponent);
        const int length = big.bit_length();
        std::uint64_t mantissa = 0;
        for (int i = length - 1; i >= length - 64; --i)
            mantissa = mantissa << 1U | (big.bit(i) ? 1U : 0U);
        return round(mantissa, length - 64, big.any_bit_below(length - 64));
    }
    // digits / 10^-exponent, 64 bits of it by long division in base 2.
    Big rest{digits};
    Big divisor{1};
    divisor.multiply_power_of_ten(-exponent);
    int scale = divisor.bit_length() - rest.bit_length();  // quotient * 2^-scale is the value
    if (scale > 0)
        rest.shift_left(scale);
    else
        divisor.shift_left(-scale);
    if (!rest.at_least(divisor)) {
        rest.shift_left(1);
        ++scale;
    }
    std::uint64_t mantissa = 0;
    for (int i = 0; i < 64; ++i) {
        const bool one = rest.at_least(divisor);
        if (one) rest.subtract(divisor);
        mantissa = mantissa << 1U | (one ? 1U : 0U);
        rest.shift_left(1);
    }
    return round(mantissa, -scale - 63, rest.bit_length() != 0);
}

double value_of(std::uint64_t digits, int exponent) {
    if (digits == 0 || exponent < -362) return 0.0;
    if (exponent > 308) return std::numeric_limits<double>::infinity();
    if (digits >= std::uint64_t{1} << 53U || exponent < -22 || exponent > 22)
        return exactly(digits, exponent);
    // Both numbers are exact, so one operation rounds once (Clinger 1990).
    const auto power = exact_powers[static_cast<std::size_t>(std::abs(exponent))];
    const auto whole = static_cast<double>(digits);
    return exponent < 0 ? whole / power : whole * power;
}

}  // namespace

Result<double> to_double(std::string_view text) {
    const Decimal decimal = read(text);
    const double value = value_of(decimal.digits, decimal.exponent);
    if (value > std::numeric_limits<double>::max()) return std::unexpected{Fault::bad_input};
    return decimal.negative ? -value : value;
}

Result<std::int64_t> to_integer(std::string_view text) {
    const bool negative = text.starts_with('-');
    if (negative) text.remove_prefix(1);
    if (text.empty() || text.size() > 19) return std::unexpected{Fault::bad_input};
    std::uint64_t value = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') return std::unexpected{Fault::bad_input};
        value = value * 10 + static_cast<std::uint64_t>(c - '0');
    }
    constexpr auto largest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (value > largest) return std::unexpected{Fault::bad_input};
    const auto whole = static_cast<std::int64_t>(value);
    return negative ? -whole : whole;
}

std::string_view write_integer(std::int64_t value, std::span<char, number_chars_max> into) {
    std::size_t at = into.size();
    std::uint64_t rest =
        value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
    do {
        into[--at] = static_cast<char>('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (value < 0) into[--at] = '-';
    return {into.data() + at, into.size() - at};
}

namespace {

double scaled(double value, int exponent) {  // value * 10^exponent, within a few units of 1e-16
    for (; exponent > 22; exponent -= 22)
        value *= exact_powers[22];
    for (; exponent < -22; exponent += 22)
        value /= exact_powers[22];
    const auto power = static_cast<std::size_t>(std::abs(exponent));
    return exponent < 0 ? value / exact_powers[power] : value * exact_powers[power];
}

class Text {
  public:
    explicit Text(std::span<char, number_chars_max> into) : into_{into} {}

    void put(char c) { into_[size_++] = c; }

    void put(std::string_view text) {
        for (const char c : text)
            put(c);
    }

    void put_integer(std::int64_t value) {
        std::array<char, number_chars_max> digits{};
        put(write_integer(value, digits));
    }

    [[nodiscard]] std::string_view view() const { return {into_.data(), size_}; }

  private:
    std::span<char, number_chars_max> into_;
    std::size_t size_ = 0;
};

// digits * 10^exponent, without trailing zeros; plain between 1e-5 and 1e9, else with exponent.
void write_decimal(Text& text, std::uint64_t digits, int exponent) {
    while (digits % 10 == 0) {
        digits /= 10;
        ++exponent;
    }
    std::array<char, number_chars_max> buffer{};
    const std::string_view shown = write_integer(static_cast<std::int64_t>(digits), buffer);
    const int point = static_cast<int>(shown.size()) + exponent;  // digits before the point
    if (point > 9 || point < -4) {
        text.put(shown.substr(0, 1));
        if (shown.size() > 1) text.put('.');
        text.put(shown.substr(1));
        text.put('e');
        text.put_integer(point - 1);
    } else if (point <= 0) {
        text.put("0.");
        for (int i = point; i < 0; ++i)
            text.put('0');
        text.put(shown);
    } else if (exponent >= 0) {
        text.put(shown);
        for (int i = 0; i < exponent; ++i)
            text.put('0');
    } else {
        text.put(shown.substr(0, static_cast<std::size_t>(point)));
        text.put('.');
        text.put(shown.substr(static_cast<std::size_t>(point)));
    }
}

}  // namespace

std::string_view write_float(float value, std::span<char, number_chars_max> into) {
    Text text{into};
    if (!(value <= std::numeric_limits<float>::max() && value >= -std::numeric_limits<float>::max()
        )) {
        text.put("null");
        return text.view();
    }
    if (value == 0.0F) {
        text.put('0');
        return text.view();
    }
    if (value < 0.0F) {
        text.put('-');
        value = -value;
    }
    // The largest with 10^magnitude <= value, found upwards from below log10 of the power of two.
    const int power_of_two = static_cast<int>(std::bit_cast<std::uint32_t>(value) >> 23U) - 127;
    int magnitude = power_of_two < -126 ? -46 : power_of_two * 30103 / 100000 - 2;
    while (magnitude < 38 && scaled(1.0, magnitude + 1) <= static_cast<double>(value))
        ++magnitude;
    for (int count = 6;; ++count) {
        const int exponent = magnitude - (count - 1);
        const auto digits =
            static_cast<std::uint64_t>(scaled(static_cast<double>(value), -exponent) + 0.5);
        const double back = value_of(digits, exponent);
        if (count == 9 || static_cast<float>(back) == value) {
            write_decimal(text, digits, exponent);
            return text.view();
        }
    }
}

}  // namespace stator::wire
