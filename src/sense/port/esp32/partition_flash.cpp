#include "sense/port/esp32/partition_flash.h"

#include "sense/port/esp32/memory.h"

#include <cassert>

namespace stator::esp32 {
namespace {

using base::Fault;
using base::Result;

Result<void> outcome(esp_err_t done) {
    if (done != ESP_OK) return std::unexpected{Fault::io};
    return {};
}

}  // namespace

bool PartitionFlash::open(const esp_partition_t* partition) {
    if (partition == nullptr) return false;
    const void* memory = nullptr;
    esp_partition_mmap_handle_t handle = 0;  // it stays mapped for ever
    const esp_err_t done = esp_partition_mmap(
        partition, 0, partition->size, ESP_PARTITION_MMAP_DATA, &memory, &handle
    );
    if (done != ESP_OK) return false;
    partition_ = partition;
    memory_ = {static_cast<const std::byte*>(memory), partition->size};
    return true;
}

bool PartitionFlash::open_data(const char* label) {
    return open(esp_partition_find_first(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_ANY, label)
    );
}

std::size_t PartitionFlash::sector_bytes() const {
    return flash_sector_bytes;
}

std::span<const std::byte> PartitionFlash::mapped(std::size_t offset, std::size_t size) const {
    assert(offset <= memory_.size() && size <= memory_.size() - offset);
    return memory_.subspan(offset, size);
}

Result<void> PartitionFlash::erase(std::size_t sector_offset) {
    if (sector_offset % flash_sector_bytes != 0 || sector_offset >= memory_.size())
        return std::unexpected{Fault::bad_input};
    return outcome(esp_partition_erase_range(partition_, sector_offset, flash_sector_bytes));
}

Result<void> PartitionFlash::program(std::size_t offset, std::span<const std::byte> bytes) {
    if (offset % hal::flash_program_bytes != 0 || bytes.size() % hal::flash_program_bytes != 0 ||
        offset > memory_.size() || bytes.size() > memory_.size() - offset)
        return std::unexpected{Fault::bad_input};
    return outcome(esp_partition_write(partition_, offset, bytes.data(), bytes.size()));
}

}  // namespace stator::esp32
