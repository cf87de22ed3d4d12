// Of esp_hw_support: the address that was burnt in.
#pragma once

#include <esp_err.h>

extern "C" esp_err_t esp_efuse_mac_get_default(uint8_t* mac);
