// Lan9118 is the board's Ethernet: frames in and out of its FIFOs, by polling.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace stator::cortex_m {

inline constexpr std::size_t frame_bytes_max = 1514;

class Lan9118 {
  public:
    [[nodiscard]] bool start();  // false when there is none

    [[nodiscard]] std::span<const std::uint8_t, 6> address() const { return address_; }

    // `words` holds the frame, in whole words; false when the chip has no room for it now.
    [[nodiscard]] bool send(std::span<const std::uint32_t> words, std::size_t bytes);
    // The bytes of a frame now in `words`; 0 when none waits. A damaged frame is dropped.
    [[nodiscard]] std::size_t receive(std::span<std::uint32_t> words);

  private:
    std::uint8_t address_[6] = {};
};

}  // namespace stator::cortex_m
