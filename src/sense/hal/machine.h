// The machine's side of the device: samples in, actuators out. A simulated motor is one more port.
//
// Adc gives raw counts of one channel at the sampling rate; nothing above it knows where they come
// from. A channel is asked either for frames, each a look of its own, or for all that comes.
// Bounded, no heap.
#pragma once

#include "shared/base/result.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace stator::hal {

inline constexpr std::uint32_t sampling_rate_hz = 13'095;

class Adc {
  public:
    // Fills `counts` with consecutive samples of the channel (index into the asset's channels).
    [[nodiscard]] virtual base::Result<void> read(
        std::size_t channel, std::span<std::uint16_t> counts
    ) = 0;

    // What came of the channel since the last follow(), in order and without a hole: how many, at
    // most counts.size(); never waits. Fault::closed: there is a hole here, what comes next begins
    // anew. Fault::not_found: this port gives frames alone.
    [[nodiscard]] virtual base::Result<std::size_t> follow(
        std::size_t /*channel*/, std::span<std::uint16_t> /*counts*/
    ) {
        return std::unexpected{base::Fault::not_found};
    }

  protected:
    ~Adc() = default;
};

class Actuators {
  public:
    // Hydraulic valve servo, 0 closed .. 180 open; the driver moves 1 degree per 20 ms at most.
    virtual void set_valve_degrees(std::uint8_t degrees) = 0;
    virtual void set_backup_pump(bool on) = 0;
    // What the backup line's flow meter says now, l/min: the effect.
    [[nodiscard]] virtual base::Result<float> backup_flow_l_per_min() = 0;

    // The wired contact of whatever must not run at the same time; a machine without one has none.
    [[nodiscard]] virtual bool excluded() { return false; }

  protected:
    ~Actuators() = default;
};

}  // namespace stator::hal
