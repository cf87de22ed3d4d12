#include "sense/port/esp32/der.h"

namespace stator::esp32 {
namespace {

constexpr std::uint8_t sequence_tag = 0x30;
constexpr std::uint8_t integer_tag = 0x02;

void put(DerSignature& der, std::uint8_t byte) {
    der.bytes[der.size++] = byte;
}

// The shortest form of a positive number: no zeros in front but the one that keeps it positive.
void put_integer(DerSignature& der, std::span<const std::uint8_t> number) {
    while (number.size() > 1 && number[0] == 0)
        number = number.subspan(1);
    const bool high = (number[0] & 0x80U) != 0;
    put(der, integer_tag);
    put(der, static_cast<std::uint8_t>(number.size() + (high ? 1 : 0)));
    if (high) put(der, 0);
    for (const std::uint8_t byte : number)
        put(der, byte);
}

}  // namespace

DerSignature der_signature(std::span<const std::uint8_t, 64> raw) {
    DerSignature der;
    put(der, sequence_tag);
    put(der, 0);
    put_integer(der, raw.first(32));
    put_integer(der, raw.last(32));
    der.bytes[1] = static_cast<std::uint8_t>(der.size - 2);
    return der;
}

}  // namespace stator::esp32
