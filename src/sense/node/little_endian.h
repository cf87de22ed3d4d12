// Numbers in flash: little endian, whatever the processor.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace stator::node {

template <typename T>
void put_number(std::span<std::byte> at, T value) {
    for (std::size_t i = 0; i < sizeof value; ++i)
        at[i] = static_cast<std::byte>(value >> (8 * i));
}

template <typename T>
[[nodiscard]] T get_number(std::span<const std::byte> at) {
    T value = 0;
    for (std::size_t i = 0; i < sizeof value; ++i)
        value = static_cast<T>(value | static_cast<T>(std::to_integer<T>(at[i]) << (8 * i)));
    return value;
}

inline void put_u16(std::span<std::byte> at, std::uint16_t value) {
    put_number(at, value);
}

inline void put_u32(std::span<std::byte> at, std::uint32_t value) {
    put_number(at, value);
}

inline void put_u64(std::span<std::byte> at, std::uint64_t value) {
    put_number(at, value);
}

inline void put_float(std::span<std::byte> at, float value) {
    put_number(at, std::bit_cast<std::uint32_t>(value));
}

[[nodiscard]] inline std::uint16_t get_u16(std::span<const std::byte> at) {
    return get_number<std::uint16_t>(at);
}

[[nodiscard]] inline std::uint32_t get_u32(std::span<const std::byte> at) {
    return get_number<std::uint32_t>(at);
}

[[nodiscard]] inline std::uint64_t get_u64(std::span<const std::byte> at) {
    return get_number<std::uint64_t>(at);
}

[[nodiscard]] inline float get_float(std::span<const std::byte> at) {
    return std::bit_cast<float>(get_u32(at));
}

}  // namespace stator::node
