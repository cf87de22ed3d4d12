// Of FreeRTOS as ESP-IDF has it.
#pragma once

#include <stdint.h>

using BaseType_t = int;
using UBaseType_t = unsigned;
using TickType_t = uint32_t;
#define pdPASS 1
#define configTICK_RATE_HZ 1000
#define pdMS_TO_TICKS(ms) (static_cast<TickType_t>(ms) * configTICK_RATE_HZ / 1000)
