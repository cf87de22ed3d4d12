// A Part is one process's worth of the loop: its services, wired, and what turns them.
//
// The real process runs one Part on real doors until it is told to stop; the simulation turns all
// Parts in one thread on simulated doors. A Part that was made is usable: what could go wrong at
// start went wrong in its make function.
#pragma once

#include "world/doors/doors.h"
#include "world/http/http.h"
#include "world/outcome/outcome.h"

#include <cstdint>
#include <string>

namespace stator::part {

class Part {
  public:
    virtual ~Part() = default;
    [[nodiscard]] virtual std::string_view name() const = 0;
    // Does what is due without waiting; true when there was something.
    [[nodiscard]] virtual Outcome<bool> step() = 0;
    // Returns when there may be something to do, or after the time-out.
    virtual void wait(std::int64_t timeout_us) = 0;
    // What /metrics answers.
    [[nodiscard]] virtual std::string metrics() = 0;

    // Routes of this part on its loopback port beyond /healthz and /metrics.
    [[nodiscard]] virtual http::Response handle(const http::Request& request) {
        return http::problem(404, "Not found", request.path);
    }
};

}  // namespace stator::part
