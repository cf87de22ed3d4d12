#include "sense/port/cortex_m/chance.h"

#include "sense/port/cortex_m/board.h"

#include <array>
#include <bit>
#include <string_view>

namespace stator::cortex_m {

bool random_bytes(std::uint8_t* bytes, std::size_t count) {
    constexpr std::string_view device = "/dev/urandom";
    const std::array<std::uint32_t, 3> open = {
        static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(device.data())),
        1,  // binary, to read
        static_cast<std::uint32_t>(device.size())
    };
    const std::int32_t file = semihost(sys_open, open.data());
    if (file < 0) return false;
    const std::array<std::uint32_t, 3> read = {
        static_cast<std::uint32_t>(file),
        static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(bytes)),
        static_cast<std::uint32_t>(count)
    };
    const std::int32_t left = semihost(sys_read, read.data());
    const std::array<std::uint32_t, 1> close = {static_cast<std::uint32_t>(file)};
    static_cast<void>(semihost(sys_close, close.data()));
    return left == 0;
}

std::uint32_t Entropy::next() {
    std::array<std::uint8_t, 4> bytes{};
    static_cast<void>(random_bytes(bytes.data(), bytes.size()));
    return std::bit_cast<std::uint32_t>(bytes);
}

}  // namespace stator::cortex_m
