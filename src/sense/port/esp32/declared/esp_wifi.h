// Of esp_wifi: a station's part.
#pragma once

#include <esp_event.h>

struct wifi_init_config_t {
    int magic;
};

#define WIFI_INIT_CONFIG_DEFAULT() wifi_init_config_t{.magic = 0x1F2F3F4F}

enum wifi_event_t { WIFI_EVENT_STA_START = 2, WIFI_EVENT_STA_DISCONNECTED = 5 };

enum wifi_mode_t { WIFI_MODE_NULL = 0, WIFI_MODE_STA };

enum wifi_interface_t { WIFI_IF_STA = 0 };

enum wifi_storage_t { WIFI_STORAGE_FLASH, WIFI_STORAGE_RAM };

enum wifi_auth_mode_t { WIFI_AUTH_OPEN = 0, WIFI_AUTH_WPA2_PSK = 3 };

struct wifi_scan_threshold_t {
    int8_t rssi;
    wifi_auth_mode_t authmode;
};

struct wifi_pmf_config_t {
    bool capable;
    bool required;
};

struct wifi_sta_config_t {  // the members that we use
    uint8_t ssid[32];
    uint8_t password[64];
    wifi_scan_threshold_t threshold;
    wifi_pmf_config_t pmf_cfg;
};

union wifi_config_t {
    wifi_sta_config_t sta;
};

extern "C" {
extern const esp_event_base_t WIFI_EVENT;
esp_err_t esp_wifi_init(const wifi_init_config_t* config);
esp_err_t esp_wifi_set_storage(wifi_storage_t storage);
esp_err_t esp_wifi_set_mode(wifi_mode_t mode);
esp_err_t esp_wifi_set_config(wifi_interface_t interface, wifi_config_t* config);
esp_err_t esp_wifi_start(void);
esp_err_t esp_wifi_connect(void);
}
