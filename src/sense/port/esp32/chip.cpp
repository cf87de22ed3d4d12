#include "sense/port/esp32/chip.h"

#include <esp_log.h>
#include <esp_mac.h>
#include <esp_random.h>
#include <esp_system.h>
#include <esp_task_wdt.h>
#include <esp_timer.h>

#include <algorithm>
#include <array>

namespace stator::esp32 {
namespace {

constexpr const char* tag = "stator";

int length(std::string_view text) {
    return static_cast<int>(std::min<std::size_t>(text.size(), 200));
}

}  // namespace

ChipId chip_id() {
    std::array<std::uint8_t, 6> mac{};
    if (esp_efuse_mac_get_default(mac.data()) != ESP_OK) return {};
    std::uint32_t number =
        std::uint32_t{mac[3]} << 16U | std::uint32_t{mac[4]} << 8U | std::uint32_t{mac[5]};
    std::array<char, 8> digits{};
    std::size_t at = digits.size();
    do {
        digits[--at] = static_cast<char>('0' + number % 10);
        number /= 10;
    } while (number != 0);
    return ChipId{std::string_view{&digits[at], digits.size() - at}};
}

std::string_view start_cause() {
    switch (esp_reset_reason()) {
        case ESP_RST_POWERON:
        case ESP_RST_EXT:
            return "power-on";
        case ESP_RST_SW:
            return "restart";
        case ESP_RST_PANIC:
            return "fault";
        case ESP_RST_INT_WDT:
        case ESP_RST_TASK_WDT:
        case ESP_RST_WDT:
            return "watchdog";
        case ESP_RST_BROWNOUT:
            return "brown-out";
        default:
            return "unknown";
    }
}

std::int64_t Clock::monotonic_us() {
    return esp_timer_get_time();
}

std::uint32_t Entropy::next() {
    return esp_random();
}

bool Watchdog::start() {
    constexpr esp_task_wdt_config_t config{
        .timeout_ms = timeout_s * 1000,
        .idle_core_mask = 0,  // the node's task alone
        .trigger_panic = true,
    };
    // The start-up code may have started it already, as menuconfig says.
    const esp_err_t begun = esp_task_wdt_init(&config);
    if (begun != ESP_OK && esp_task_wdt_reconfigure(&config) != ESP_OK) return false;
    return esp_task_wdt_add(nullptr) == ESP_OK;
}

void Watchdog::feed() {
    static_cast<void>(esp_task_wdt_reset());
}

void Log::info(std::string_view text) {
    ESP_LOGI(tag, "%.*s", length(text), text.data());
}

void Log::warn(std::string_view text) {
    ESP_LOGW(tag, "%.*s", length(text), text.data());
}

}  // namespace stator::esp32
