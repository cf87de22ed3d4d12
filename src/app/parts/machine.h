// A Machine is what stands behind a node's HAL in the demonstration: the simulated motor, or a
// recorded one. It owns plant time and answers its bench: POST /plant, GET /recording.
#pragma once

#include "sense/hal/machine.h"
#include "sense/node/node.h"
#include "shared/asset/asset.h"
#include "world/doors/doors.h"
#include "world/http/http.h"

#include <cstdint>
#include <memory>
#include <string>

namespace stator::parts {

class Machine {
  public:
    virtual ~Machine() = default;
    [[nodiscard]] virtual hal::Adc& adc() = 0;
    [[nodiscard]] virtual hal::Actuators& actuators() = 0;
    // Before each step of the node; `status` is the node's after the last one.
    virtual void advance(std::int64_t monotonic_us, const node::Status& status) = 0;
    [[nodiscard]] virtual http::Response handle(const http::Request& request) = 0;
};

struct PlantMachineOptions {
    std::uint64_t seed = 7;
    double acceleration = 40.0;  // plant seconds in one of ours
    bool backup_blocked = false;
    std::string token;  // who may break and repair it
};

// `asset` must outlive it.
[[nodiscard]] std::unique_ptr<Machine> make_plant_machine(
    clock::Clock& clock, const asset::Asset& asset, const PlantMachineOptions& options
);

// Row by row; the first `baseline_rows` are the healthy baseline and are not judged.
[[nodiscard]] Outcome<std::unique_ptr<Machine>> make_recorded_machine(
    disk::Disk& disk, const std::string& file, const std::string& map, std::size_t baseline_rows
);

}  // namespace stator::parts
