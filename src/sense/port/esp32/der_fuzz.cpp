// Any signature as DER: the shortest form of two positive numbers, which are the ones that came.
#include "sense/port/esp32/der.h"

#include <algorithm>
#include <cstdlib>

namespace {

using Bytes = std::span<const std::uint8_t>;

// The number in front of `rest`, taken off; RFC 3279 2.2.3, X.690 8.3.
void check_integer(Bytes& rest, Bytes raw) {
    if (rest.size() < 3 || rest[0] != 0x02 || rest[1] == 0 || rest[1] > rest.size() - 2)
        std::abort();
    Bytes number = rest.subspan(2, rest[1]);
    rest = rest.subspan(2 + number.size());
    if (number[0] >= 0x80) std::abort();  // negative
    if (number.size() > 1 && number[0] == 0 && number[1] < 0x80) std::abort();
    if (number.size() > raw.size()) number = number.subspan(1);
    const Bytes zeros = raw.first(raw.size() - number.size());
    if (!std::ranges::equal(number, raw.last(number.size())) ||
        std::ranges::any_of(zeros, [](std::uint8_t byte) { return byte != 0; }))
        std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 64) return 0;
    const std::span<const std::uint8_t, 64> raw{data, 64};
    const auto der = stator::esp32::der_signature(raw);
    if (der.size > der.bytes.size()) std::abort();
    Bytes rest{der.bytes.data(), der.size};
    if (rest[0] != 0x30 || rest[1] != rest.size() - 2) std::abort();
    rest = rest.subspan(2);
    check_integer(rest, raw.first(32));
    check_integer(rest, raw.last(32));
    if (!rest.empty()) std::abort();
    return 0;
}
