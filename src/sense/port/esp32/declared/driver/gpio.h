// Of esp_driver_gpio.
#pragma once

#include <esp_err.h>

enum gpio_num_t : int { GPIO_NUM_NC = -1, GPIO_NUM_0 = 0, GPIO_NUM_MAX = 40 };

enum gpio_mode_t { GPIO_MODE_DISABLE = 0, GPIO_MODE_INPUT = 1, GPIO_MODE_OUTPUT = 2 };

enum gpio_pull_mode_t { GPIO_PULLUP_ONLY = 0, GPIO_PULLDOWN_ONLY = 1 };

extern "C" {
esp_err_t gpio_reset_pin(gpio_num_t gpio_num);
esp_err_t gpio_set_level(gpio_num_t gpio_num, uint32_t level);
esp_err_t gpio_set_direction(gpio_num_t gpio_num, gpio_mode_t mode);
esp_err_t gpio_set_pull_mode(gpio_num_t gpio_num, gpio_pull_mode_t pull);
int gpio_get_level(gpio_num_t gpio_num);
}
