// Of esp_common: every call says how it went.
#pragma once

#include <stdint.h>

using esp_err_t = int;
#define ESP_OK 0
#define ESP_FAIL (-1)
#define ESP_ERR_INVALID_STATE 0x103
#define ESP_ERR_TIMEOUT 0x107
