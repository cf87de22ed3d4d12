// Of esp_event: the default loop, which calls in a task of its own.
#pragma once

#include <esp_err.h>

using esp_event_base_t = const char*;
using esp_event_handler_t = void (*)(void*, esp_event_base_t, int32_t, void*);
using esp_event_handler_instance_t = void*;
#define ESP_EVENT_ANY_ID (-1)

extern "C" {
esp_err_t esp_event_loop_create_default(void);
esp_err_t esp_event_handler_instance_register(
    esp_event_base_t base,
    int32_t id,
    esp_event_handler_t handler,
    void* argument,
    esp_event_handler_instance_t* instance
);
}
