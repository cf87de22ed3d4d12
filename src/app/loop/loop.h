// The Loop runs one Part as a process: makes it, steps it, waits, answers /healthz and /metrics and
// ends when told to.
//
// A step that fails is told once per kind of failure and tried again with a growing pause (to 5 s):
// a service outlives what it depends on, a full disk too. Fault::closed says that what the Part has
// in memory no longer counts: it is made anew, in this process, as often as it takes. Only a Part
// that cannot be made at the start ends the process. /healthz is 200 while the last step went well,
// else 503 with the reason. READY=1 is said to the supervisor after the first step.
#pragma once

#include "app/part/part.h"
#include "world/doors/doors.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace stator::loop {

// Set by SIGTERM and SIGINT once catch_signals() was called.
[[nodiscard]] std::atomic<bool>& stop_wanted();
void catch_signals();

using Make = std::function<Outcome<std::unique_ptr<part::Part>>()>;

// `name` stands in the journal. `ops_port` 0: a free one. Returns the process's exit code.
[[nodiscard]] int run(
    doors::Doors& doors, const std::string& name, const Make& make, std::uint16_t ops_port
);

}  // namespace stator::loop
