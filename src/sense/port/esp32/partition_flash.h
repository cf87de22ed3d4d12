// A PartitionFlash is one data or app partition of the flash chip, read as mapped memory.
//
// The node's partition is not to be encrypted: a place of it is programmed more than once between
// erases, which an encrypted one does not take.
#pragma once

#include "sense/hal/flash.h"

#include <esp_partition.h>

#include <cstddef>
#include <span>

namespace stator::esp32 {

class PartitionFlash final : public hal::Flash {
  public:
    PartitionFlash() = default;

    // False when the table has no such partition, or it cannot be mapped.
    [[nodiscard]] bool open(const esp_partition_t* partition);
    [[nodiscard]] bool open_data(const char* label);

    [[nodiscard]] std::size_t size_bytes() const override { return memory_.size(); }

    [[nodiscard]] std::size_t sector_bytes() const override;
    [[nodiscard]] std::span<const std::byte> mapped(std::size_t offset, std::size_t size)
        const override;
    [[nodiscard]] base::Result<void> erase(std::size_t sector_offset) override;
    [[nodiscard]] base::Result<void> program(std::size_t offset, std::span<const std::byte> bytes)
        override;

  private:
    const esp_partition_t* partition_ = nullptr;
    std::span<const std::byte> memory_;
};

}  // namespace stator::esp32
