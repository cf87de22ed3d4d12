// What sdkconfig.defaults makes of it, as far as our source asks.
#pragma once

#define CONFIG_IDF_TARGET_ESP32 1
#define CONFIG_MBEDTLS_HAVE_TIME_DATE 1
#define CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE 1
