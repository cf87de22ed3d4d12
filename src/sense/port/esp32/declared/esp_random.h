// Of esp_hw_support: the generator of chance.
#pragma once

#include <stdint.h>

extern "C" uint32_t esp_random(void);
