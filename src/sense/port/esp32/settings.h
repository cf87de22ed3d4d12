// The Settings are what a device keeps in NVS: its Wi-Fi, and the latest time that it knew.
//
// The factory writes `ssid` and `password` (namespace `stator`); the time is ours. It rises: below
// it no time server is believed, so that a forged date cannot revive an expired certificate.
#pragma once

#include "shared/base/fixed.h"

#include <nvs.h>

#include <cstdint>

namespace stator::esp32 {

class Settings {
  public:
    // False when NVS cannot be used, even after it was made anew because its format is another.
    [[nodiscard]] bool open();

    // False when the factory gave none.
    [[nodiscard]] bool wifi(base::FixedString<32>& ssid, base::FixedString<63>& password) const;

    [[nodiscard]] std::int64_t unix_s_min() const;
    // At most once a day, for the flash's sake.
    void remember_time(std::int64_t unix_s);

  private:
    nvs_handle_t store_ = 0;
};

}  // namespace stator::esp32
