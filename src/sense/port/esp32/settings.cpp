#include "sense/port/esp32/settings.h"

#include <nvs_flash.h>

#include <array>

namespace stator::esp32 {
namespace {

constexpr const char* space = "stator";
constexpr std::int64_t day_s = 86'400;

template <std::size_t bytes_max>
bool read_text(nvs_handle_t store, const char* key, base::FixedString<bytes_max>& into) {
    std::array<char, bytes_max + 1> text{};
    std::size_t bytes = text.size();  // and with the zero byte behind it
    if (nvs_get_str(store, key, text.data(), &bytes) != ESP_OK) return false;
    return into.assign(std::string_view{text.data()});
}

}  // namespace

bool Settings::open() {
    esp_err_t done = nvs_flash_init();
    if (done == ESP_ERR_NVS_NO_FREE_PAGES || done == ESP_ERR_NVS_NEW_VERSION_FOUND) {
        if (nvs_flash_erase() != ESP_OK) return false;
        done = nvs_flash_init();
    }
    return done == ESP_OK && nvs_open(space, NVS_READWRITE, &store_) == ESP_OK;
}

bool Settings::wifi(base::FixedString<32>& ssid, base::FixedString<63>& password) const {
    return read_text(store_, "ssid", ssid) && read_text(store_, "password", password);
}

std::int64_t Settings::unix_s_min() const {
    std::int64_t kept = 0;
    return nvs_get_i64(store_, "time", &kept) == ESP_OK ? kept : 0;
}

void Settings::remember_time(std::int64_t unix_s) {
    if (unix_s < unix_s_min() + day_s) return;
    if (nvs_set_i64(store_, "time", unix_s) == ESP_OK) static_cast<void>(nvs_commit(store_));
}

}  // namespace stator::esp32
