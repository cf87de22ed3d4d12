// RealProcesses starts children with fork and exec, each in a process group of its own.
//
// A child is killed when its Child is destroyed, and by the kernel when we die (PR_SET_PDEATHSIG;
// it is the starting thread's death that counts, so start children from the main thread). It
// inherits no descriptor but 0 (/dev/null), 1 and 2 (the log). A program that cannot be run is an
// Error of start(). There is no simulated form: the simulation runs every service in one process,
// and only the supervisor, which is not part of it, uses this door.
#pragma once

#include "world/process/process.h"

namespace stator::process {

class RealProcesses final : public Processes {
  public:
    [[nodiscard]] Outcome<std::unique_ptr<Child>> start(const Command& command) override;
};

}  // namespace stator::process
