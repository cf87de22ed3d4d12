// The Outputs are the valve's servo (LEDC), the backup pump (a pin), and the meter (PCNT).
//
// start() shuts the valve and switches the pump off before anything else runs.
#pragma once

#include "sense/hal/machine.h"

#include <driver/pulse_cnt.h>

#include <cstdint>
#include <string_view>

namespace stator::esp32 {

class Outputs final : public hal::Actuators {
  public:
    // Why it could not; empty when all is well.
    [[nodiscard]] std::string_view start();

    void set_valve_degrees(std::uint8_t degrees) override;
    void set_backup_pump(bool on) override;
    [[nodiscard]] base::Result<float> backup_flow_l_per_min() override;
    [[nodiscard]] bool excluded() override;

  private:
    pcnt_unit_handle_t meter_ = nullptr;
    bool fine_ = false;  // every order so far was taken
    std::int64_t counted_us_ = 0;
    float flow_l_per_min_ = 0.0F;
};

}  // namespace stator::esp32
