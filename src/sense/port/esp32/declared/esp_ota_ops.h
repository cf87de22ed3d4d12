// Of app_update: which program the loader starts.
#pragma once

#include <esp_err.h>
#include <esp_partition.h>

enum esp_ota_img_states_t : uint32_t {
    ESP_OTA_IMG_NEW = 0,
    ESP_OTA_IMG_PENDING_VERIFY = 1,
    ESP_OTA_IMG_VALID = 2,
    ESP_OTA_IMG_INVALID = 3,
    ESP_OTA_IMG_ABORTED = 4,
    ESP_OTA_IMG_UNDEFINED = 0xFFFFFFFF
};

extern "C" {
const esp_partition_t* esp_ota_get_running_partition(void);
esp_err_t esp_ota_set_boot_partition(const esp_partition_t* partition);
esp_err_t esp_ota_get_state_partition(
    const esp_partition_t* partition, esp_ota_img_states_t* ota_state
);
esp_err_t esp_ota_mark_app_valid_cancel_rollback(void);
}
