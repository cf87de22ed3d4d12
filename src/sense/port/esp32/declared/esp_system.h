// Of esp_system: restarting, and why it was started.
#pragma once

#include <esp_err.h>

enum esp_reset_reason_t {
    ESP_RST_UNKNOWN,
    ESP_RST_POWERON,
    ESP_RST_EXT,
    ESP_RST_SW,
    ESP_RST_PANIC,
    ESP_RST_INT_WDT,
    ESP_RST_TASK_WDT,
    ESP_RST_WDT,
    ESP_RST_DEEPSLEEP,
    ESP_RST_BROWNOUT,
    ESP_RST_SDIO
};

extern "C" {
[[noreturn]] void esp_restart(void);
esp_reset_reason_t esp_reset_reason(void);
}
