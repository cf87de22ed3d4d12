#include "sense/proof/told.h"

#include <array>
#include <bit>
#include <cstddef>

namespace stator::proof {

void Told::begin(std::string_view what) {
    decimal(sample_);
    record_.write(" ");
    record_.write(what);
    record_.write(" ");
}

void Told::text(std::string_view what, std::string_view text) {
    chain_.add(text);
    begin(what);
    record_.write(text);
    record_.write("\n");
}

void Told::number(std::string_view what, std::uint64_t number) {
    chain_.add(what);
    chain_.add(number);
    begin(what);
    decimal(number);
    record_.write("\n");
}

void Told::reading(float verdict, bool alarm) {
    chain_.add(verdict);
    begin("reading");
    hex(std::bit_cast<std::uint32_t>(verdict), 8);
    record_.write(alarm ? " 1 " : " 0 ");
    hex(chain_.hash(), 16);
    record_.write("\n");
}

void Told::decimal(std::uint64_t number) {
    std::array<char, 20> digits{};
    std::size_t first = digits.size();
    do {
        digits[--first] = static_cast<char>('0' + number % 10);
        number /= 10;
    } while (number != 0);
    record_.write({digits.data() + first, digits.size() - first});
}

void Told::hex(std::uint64_t value, unsigned digits) {
    std::array<char, 16> text{};
    for (unsigned i = 0; i < digits; ++i)
        text[i] = "0123456789abcdef"[value >> 4 * (digits - 1 - i) & 15U];
    record_.write({text.data(), digits});
}

}  // namespace stator::proof
