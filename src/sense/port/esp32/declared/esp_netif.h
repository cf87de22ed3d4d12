// Of esp_netif.
#pragma once

#include <esp_event.h>

using esp_netif_t = struct esp_netif_obj;

enum ip_event_t { IP_EVENT_STA_GOT_IP };

extern "C" {
extern const esp_event_base_t IP_EVENT;
esp_err_t esp_netif_init(void);
}
