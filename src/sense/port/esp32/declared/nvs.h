// Of nvs_flash: small values under names.
#pragma once

#include <esp_err.h>
#include <stddef.h>

using nvs_handle_t = uint32_t;
#define ESP_ERR_NVS_NO_FREE_PAGES 0x110d
#define ESP_ERR_NVS_NEW_VERSION_FOUND 0x1110

enum nvs_open_mode_t { NVS_READONLY, NVS_READWRITE };

extern "C" {
esp_err_t nvs_open(const char* name, nvs_open_mode_t mode, nvs_handle_t* handle);
esp_err_t nvs_get_str(nvs_handle_t handle, const char* key, char* value, size_t* length);
esp_err_t nvs_get_i64(nvs_handle_t handle, const char* key, int64_t* value);
esp_err_t nvs_set_i64(nvs_handle_t handle, const char* key, int64_t value);
esp_err_t nvs_commit(nvs_handle_t handle);
}
