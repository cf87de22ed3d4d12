// The Stand is the simulated motor in lock-step with a device: its time is the samples it gave.
//
// A read of channel 0 moves the time on, those of the other channels keep up. What happens to the
// motor hangs on the time and on what the device did:
//
//   a fault grows --> the device brings the backup in --> it flows for a while --> repaired --> the
//   next fault, whose backup is blocked until somebody sees that it runs without an effect --> ...
//
// A device that does nothing is left with the first fault. What the Stand saw and did is a text
// like the device's own (sense/proof/told.h).
#pragma once

#include "sense/hal/machine.h"
#include "shared/asset/asset.h"
#include "sim/plant/plant.h"

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string_view>

namespace stator::stand {

struct Options {
    std::uint64_t seed = 7;
    bool hears = true;  // false: the outputs are not connected
};

inline constexpr double commissioning_s = 240.0;  // of the motor's life, before the Stand's time 0

class Stand final : public hal::Adc, public hal::Actuators {
  public:
    Stand(const Options& options, const asset::Asset& asset, std::ostream& told);

    [[nodiscard]] base::Result<void> read(std::size_t channel, std::span<std::uint16_t> counts)
        override;
    void set_valve_degrees(std::uint8_t degrees) override;
    void set_backup_pump(bool on) override;
    [[nodiscard]] base::Result<float> backup_flow_l_per_min() override;

  private:
    void happen();
    void tell(std::string_view what, std::string_view text);
    [[nodiscard]] bool lasts(bool it, std::uint64_t& since, double duration_s) const;

    plant::Plant plant_;
    bool hears_;
    std::ostream& told_;
    std::uint64_t samples_ = 0;  // of each channel
    std::size_t faults_ = 0;     // that have begun
    std::uint64_t healthy_since_ = 0;
    std::uint64_t pump_since_ = 0;  // samples at which it was not yet true
    std::uint64_t flow_since_ = 0;
    bool broken_ = false;
    bool blocked_ = false;
    std::uint8_t valve_degrees_ = 0;
    bool pump_ = false;
};

}  // namespace stator::stand
