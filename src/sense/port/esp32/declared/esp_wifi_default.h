// Of esp_wifi: the station's interface.
#pragma once

#include <esp_netif.h>

extern "C" esp_netif_t* esp_netif_create_default_wifi_sta(void);
