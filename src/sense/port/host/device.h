// A Device is the node on Linux: the host port's hal over the world doors, its memory, and the
// node.
//
// The machine (Adc, Actuators) is handed in: simulated, recorded or real makes no difference here.
// make() enrols when the device has no certificate yet; what it keeps lies in `directory` (key,
// certificates, flash.bin, backlog.bin: what RAM could not hold for the site, and
// factory_model.bin, which is only read: what it falls back to).
#pragma once

#include "sense/hal/machine.h"
#include "sense/node/node.h"
#include "sense/port/host/provisioning.h"
#include "shared/asset/asset.h"
#include "world/doors/doors.h"
#include "world/outcome/outcome.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace stator::host {

struct DeviceOptions {
    std::string directory;
    Provisioning provisioning;
    asset::Asset asset;
    node::Config config;
    std::size_t flash_bytes = 1U << 20U;
    std::size_t backlog_bytes = 1U << 20U;  // about 8,000 readings; 0: RAM alone
    std::size_t readings_max = 4096;        // that wait for the site
    std::size_t events_max = 256;
    std::size_t arena_bytes = 64U << 10U;
};

class Device {
  public:
    [[nodiscard]] static Outcome<std::unique_ptr<Device>> make(
        doors::Doors& doors, DeviceOptions options, hal::Adc& adc, hal::Actuators& actuators
    );
    ~Device();
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    bool step();  // true when it did something
    [[nodiscard]] node::Status status() const;
    [[nodiscard]] const asset::Asset& asset() const;
    // When the next reading is due, clock::Clock::monotonic_us.
    [[nodiscard]] std::int64_t next_reading_us() const;
    // Whole steps: what fed the watchdog.
    [[nodiscard]] std::uint64_t steps() const;
    // Measures no more, and keeps in flash what waits in RAM; true when there is none left. For an
    // orderly end, in a few calls.
    [[nodiscard]] bool leave();
    // Why there is no connection, or no answer of a registry; for people.
    [[nodiscard]] std::string trouble() const;
    void disconnect();

  private:
    struct Parts;
    explicit Device(std::unique_ptr<Parts> parts);

    std::unique_ptr<Parts> parts_;
};

}  // namespace stator::host
