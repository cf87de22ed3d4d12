// A SlotPair is two equal places in flash, one of which is written while the other is in use.
//
// What may be written is the caller's to know. erase_next() takes one sector a call, so that a
// super-loop goes on; write() fills what was erased, in order or not.
#pragma once

#include "sense/hal/flash.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace stator::node {

class SlotPair {
  public:
    // The two lie one behind the other from `offset` on; `slot_bytes`: whole sectors.
    SlotPair(hal::Flash& flash, std::size_t offset, std::size_t slot_bytes)
        : flash_{flash}, offset_{offset}, slot_bytes_{slot_bytes} {}

    [[nodiscard]] std::size_t slot_bytes() const { return slot_bytes_; }

    void begin() { erased_ = 0; }

    // True when the first `bytes` of the slot are erased.
    [[nodiscard]] base::Result<bool> erase_next(std::uint32_t slot, std::size_t bytes);
    // Fault::full behind the slot's end. A last unit that is not whole is filled up with 0xFF.
    [[nodiscard]] base::Result<void> write(
        std::uint32_t slot, std::size_t at, std::span<const std::byte> bytes
    );
    [[nodiscard]] std::span<const std::byte> mapped(
        std::uint32_t slot, std::size_t at, std::size_t size
    ) const;

  private:
    [[nodiscard]] std::size_t place(std::uint32_t slot) const {
        return offset_ + slot * slot_bytes_;
    }

    hal::Flash& flash_;
    std::size_t offset_;
    std::size_t slot_bytes_;
    std::size_t erased_ = 0;  // bytes
};

}  // namespace stator::node
