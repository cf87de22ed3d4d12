// Up is a whole site on one machine: the broker with the gate and every service, supervised.
//
// Its own /healthz is 200 when every process runs and is well; /metrics has what it knows of each
// (restarts, resident memory) and, behind that, the gate's, which has no port of its own.
#pragma once

#include "app/config/config.h"
#include "app/supervise/supervisor.h"
#include "world/doors/doors.h"
#include "world/process/process.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace stator::up {

struct Options {
    std::int64_t story_unix_ms = 0;
    std::string badge;
    bool with_node = false;  // the demonstration's device, too
    std::uint64_t seed = 7;
    bool block_backup = false;
    std::string recording;
    std::string map;
    std::string bench;  // a folder: the device is a board that is emulated there
};

// Writes what the processes read, and says how each is started, in order.
[[nodiscard]] Outcome<std::vector<process::Command>> prepare(
    doors::Doors& doors, config::Config& config, const Options& options
);

class Up {
  public:
    Up(doors::Doors& doors,
       process::Processes& processes,
       const config::Config& config,
       std::vector<process::Command> commands);

    bool step();
    void stop();
    [[nodiscard]] std::vector<supervise::Status> status();

  private:
    [[nodiscard]] http::Response answer(const http::Request& request);
    [[nodiscard]] std::string metrics();

    doors::Doors& doors_;
    const config::Config& config_;
    supervise::Supervisor supervisor_;
    std::unique_ptr<http::Server> server_;
};

}  // namespace stator::up
