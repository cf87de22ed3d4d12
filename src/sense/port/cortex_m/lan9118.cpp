#include "sense/port/cortex_m/lan9118.h"

#include <cstring>

namespace stator::cortex_m {
namespace {

constexpr std::uintptr_t chip = 0x4020'0000;
constexpr std::uintptr_t rx_data = 0x00;
constexpr std::uintptr_t tx_data = 0x20;
constexpr std::uintptr_t rx_status = 0x40;
constexpr std::uintptr_t tx_status = 0x48;
constexpr std::uintptr_t interrupt_status = 0x58;
constexpr std::uintptr_t interrupt_enable = 0x5C;
constexpr std::uintptr_t byte_test = 0x64;
constexpr std::uintptr_t rx_config = 0x6C;
constexpr std::uintptr_t tx_config = 0x70;
constexpr std::uintptr_t hardware_config = 0x74;
constexpr std::uintptr_t rx_information = 0x7C;
constexpr std::uintptr_t tx_information = 0x80;
constexpr std::uintptr_t mac_command = 0xA4;
constexpr std::uintptr_t mac_data = 0xA8;

// Through values, not references: a read whose value is dropped must still happen.
std::uint32_t get(std::uintptr_t at) {
    return *reinterpret_cast<volatile std::uint32_t*>(chip + at);
}

void put(std::uintptr_t at, std::uint32_t value) {
    *reinterpret_cast<volatile std::uint32_t*>(chip + at) = value;
}

void wait_for_mac() {
    while (get(mac_command) >> 31U != 0) {
    }
}

std::uint32_t mac_get(std::uint32_t index) {
    put(mac_command, 0xC000'0000U | index);
    wait_for_mac();
    return get(mac_data);
}

void mac_put(std::uint32_t index, std::uint32_t value) {
    put(mac_data, value);
    put(mac_command, 0x8000'0000U | index);
    wait_for_mac();
}

}  // namespace

bool Lan9118::start() {
    if (get(byte_test) != 0x8765'4321U) return false;
    constexpr std::uint32_t soft_reset = 1;
    put(hardware_config, soft_reset);
    while ((get(hardware_config) & soft_reset) != 0) {
    }
    put(hardware_config, 1U << 20U | 5U << 16U);  // must be one; transmit FIFO of 5 KiB
    put(interrupt_enable, 0);
    put(interrupt_status, 0xFFFF'FFFFU);
    put(rx_config, 0);
    const std::uint32_t low = mac_get(3);
    const std::uint32_t high = mac_get(2);
    std::memcpy(address_, &low, 4);
    std::memcpy(address_ + 4, &high, 2);
    mac_put(1, 1U << 20U | 1U << 3U | 1U << 2U);  // full duplex, transmit, receive
    put(tx_config, 2);
    return true;
}

bool Lan9118::send(std::span<const std::uint32_t> words, std::size_t bytes) {
    if ((get(tx_information) & 0xFFFFU) < bytes + 16) return false;
    const auto length = static_cast<std::uint32_t>(bytes);
    put(tx_data, 1U << 13U | 1U << 12U | length);  // first and last segment
    put(tx_data, length << 16U | length);
    for (std::size_t i = 0; i < (bytes + 3) / 4; ++i)
        put(tx_data, words[i]);
    while ((get(tx_information) >> 16U & 0xFFU) != 0)
        static_cast<void>(get(tx_status));
    return true;
}

std::size_t Lan9118::receive(std::span<std::uint32_t> words) {
    if ((get(rx_information) >> 16U & 0xFFU) == 0) return 0;
    const std::uint32_t status = get(rx_status);
    const std::size_t bytes = status >> 16U & 0x3FFFU;  // with the check sequence
    const std::size_t count = (bytes + 3) / 4;
    const bool whole = (status & 0x8000U) == 0 && bytes >= 18 && count <= words.size();
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint32_t word = get(rx_data);
        if (whole) words[i] = word;
    }
    return whole ? bytes - 4 : 0;
}

}  // namespace stator::cortex_m
