// Of log: lines on the console.
#pragma once

void stator_declared_log(const char* tag, const char* format, ...)
    __attribute__((format(printf, 2, 3)));
#define ESP_LOGI(tag, ...) stator_declared_log(tag, __VA_ARGS__)
#define ESP_LOGW(tag, ...) stator_declared_log(tag, __VA_ARGS__)
