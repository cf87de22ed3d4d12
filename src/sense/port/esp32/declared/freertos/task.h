// Of FreeRTOS as ESP-IDF has it: stacks are in bytes, and a task may be bound to a core.
#pragma once

#include <freertos/FreeRTOS.h>

using TaskHandle_t = struct tskTaskControlBlock*;
using TaskFunction_t = void (*)(void*);

extern "C" {
BaseType_t xTaskCreatePinnedToCore(
    TaskFunction_t task,
    const char* name,
    uint32_t stack_depth,
    void* parameters,
    UBaseType_t priority,
    TaskHandle_t* created,
    BaseType_t core
);
void vTaskDelay(TickType_t ticks);
}
