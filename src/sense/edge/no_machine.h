// NoMachine is what a board has that judges and measures nothing: no converters, no outputs.
#pragma once

#include "sense/hal/machine.h"

namespace stator::edge {

class NoMachine final : public hal::Adc, public hal::Actuators {
  public:
    [[nodiscard]] base::Result<void> read(
        std::size_t /*channel*/, std::span<std::uint16_t> /*counts*/
    ) override {
        return std::unexpected{base::Fault::not_found};
    }

    void set_valve_degrees(std::uint8_t /*degrees*/) override {}

    void set_backup_pump(bool /*on*/) override {}

    [[nodiscard]] base::Result<float> backup_flow_l_per_min() override {
        return std::unexpected{base::Fault::not_found};
    }
};

}  // namespace stator::edge
