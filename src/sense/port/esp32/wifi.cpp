#include "sense/port/esp32/wifi.h"

#include <esp_netif.h>
#include <esp_wifi.h>
#include <esp_wifi_default.h>

#include <algorithm>

namespace stator::esp32 {
namespace {

constexpr std::int64_t pause_us_min = 500'000;
constexpr std::int64_t pause_us_max = 30'000'000;

}  // namespace

void Wifi::heard(void* self, esp_event_base_t base, std::int32_t id, void*) {
    auto& wifi = *static_cast<Wifi*>(self);
    if (base == IP_EVENT && id == IP_EVENT_STA_GOT_IP) wifi.has_address_ = true;
    if (base != WIFI_EVENT) return;
    if (id == WIFI_EVENT_STA_START || id == WIFI_EVENT_STA_DISCONNECTED) {
        wifi.has_address_ = false;
        wifi.lost_ = true;
    }
}

std::string_view Wifi::start(std::string_view ssid, std::string_view password) {
    wifi_config_t config{};
    if (ssid.size() > sizeof config.sta.ssid || password.size() >= sizeof config.sta.password)
        return "the Wi-Fi's name or password is too long";
    std::ranges::copy(ssid, config.sta.ssid);
    std::ranges::copy(password, config.sta.password);
    config.sta.threshold.authmode = WIFI_AUTH_WPA2_PSK;
    config.sta.pmf_cfg.capable = true;
    const wifi_init_config_t defaults = WIFI_INIT_CONFIG_DEFAULT();
    const bool ready =
        esp_netif_init() == ESP_OK && esp_event_loop_create_default() == ESP_OK &&
        esp_netif_create_default_wifi_sta() != nullptr && esp_wifi_init(&defaults) == ESP_OK &&
        esp_event_handler_instance_register(WIFI_EVENT, ESP_EVENT_ANY_ID, heard, this, nullptr) ==
            ESP_OK &&
        esp_event_handler_instance_register(IP_EVENT, IP_EVENT_STA_GOT_IP, heard, this, nullptr) ==
            ESP_OK &&
        esp_wifi_set_storage(WIFI_STORAGE_RAM) == ESP_OK &&
        esp_wifi_set_mode(WIFI_MODE_STA) == ESP_OK &&
        esp_wifi_set_config(WIFI_IF_STA, &config) == ESP_OK && esp_wifi_start() == ESP_OK;
    return ready ? "" : "the Wi-Fi does not start";
}

void Wifi::step() {
    const std::int64_t now_us = time_.monotonic_us();
    if (has_address_) failures_ = 0;
    if (lost_.exchange(false)) {
        const std::int64_t pause =
            std::min(pause_us_min << std::min(failures_, std::uint32_t{8}), pause_us_max);
        next_us_ = now_us + pause / 2 + entropy_.next() % 1024U * (pause / 2) / 1024;
        ++failures_;
        waiting_ = true;
    }
    if (!waiting_ || now_us < next_us_) return;
    waiting_ = false;
    if (esp_wifi_connect() != ESP_OK) lost_ = true;
}

}  // namespace stator::esp32
