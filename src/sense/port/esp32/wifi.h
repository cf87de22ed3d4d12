// The Wifi is a station that joins its network, and joins it again, after a pause that doubles.
//
// The driver's events come in a task of its own; they only leave word, and step() acts on it.
#pragma once

#include "sense/hal/board.h"
#include "shared/base/fixed.h"

#include <esp_event.h>

#include <atomic>
#include <cstdint>
#include <string_view>

namespace stator::esp32 {

class Wifi {
  public:
    Wifi(hal::Time& time, hal::Entropy& entropy) : time_{time}, entropy_{entropy} {}

    // Why it could not; empty when all is well. The event loop keeps its address: it stays where
    // it is.
    [[nodiscard]] std::string_view start(std::string_view ssid, std::string_view password);
    void step();

    [[nodiscard]] bool has_address() const { return has_address_.load(); }

  private:
    static void heard(void* self, esp_event_base_t base, std::int32_t id, void* data);

    hal::Time& time_;
    hal::Entropy& entropy_;
    std::atomic<bool> has_address_{false};
    std::atomic<bool> lost_{false};
    std::uint32_t failures_ = 0;
    std::int64_t next_us_ = 0;
    bool waiting_ = false;
};

}  // namespace stator::esp32
