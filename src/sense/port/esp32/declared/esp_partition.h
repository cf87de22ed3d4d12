// Of esp_partition: the parts of the flash chip.
#pragma once

#include <esp_err.h>
#include <stddef.h>

enum esp_partition_type_t { ESP_PARTITION_TYPE_APP = 0, ESP_PARTITION_TYPE_DATA = 1 };

enum esp_partition_subtype_t {
    ESP_PARTITION_SUBTYPE_APP_OTA_0 = 0x10,
    ESP_PARTITION_SUBTYPE_APP_OTA_1 = 0x11,
    ESP_PARTITION_SUBTYPE_ANY = 0xFF
};

enum esp_partition_mmap_flag_t { ESP_PARTITION_MMAP_DATA = 0, ESP_PARTITION_MMAP_INST = 1 };

using esp_partition_mmap_handle_t = uint32_t;

struct esp_partition_t {
    struct esp_flash_t* flash_chip;
    esp_partition_type_t type;
    esp_partition_subtype_t subtype;
    uint32_t address;
    uint32_t size;
    uint32_t erase_size;
    char label[17];
    bool encrypted;
    bool readonly;
};

extern "C" {
const esp_partition_t* esp_partition_find_first(
    esp_partition_type_t type, esp_partition_subtype_t subtype, const char* label
);
esp_err_t esp_partition_write(
    const esp_partition_t* partition, size_t dst_offset, const void* src, size_t size
);
esp_err_t esp_partition_erase_range(const esp_partition_t* partition, size_t offset, size_t size);
esp_err_t esp_partition_mmap(
    const esp_partition_t* partition,
    size_t offset,
    size_t size,
    esp_partition_mmap_flag_t flags,
    const void** out_ptr,
    esp_partition_mmap_handle_t* out_handle
);
}
