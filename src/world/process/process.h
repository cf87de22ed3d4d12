// The process door: children that die with their parent.
//
// Only the supervisor uses it. A child gets SIGKILL when the supervisor dies, its standard error is
// appended to log_file, and READY=1 on NOTIFY_SOCKET is waited for where `notify` is set.
#pragma once

#include "world/outcome/outcome.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stator::process {

struct Command {
    std::string name;                                // for messages
    std::vector<std::string> arguments;              // [0]: the program's path
    std::map<std::string, std::string> environment;  // added to ours
    std::string log_file;
    bool notify = false;
};

class Child {
  public:
    virtual ~Child() = default;
    [[nodiscard]] virtual int pid() const = 0;
    [[nodiscard]] virtual bool ready() = 0;                 // true at once without `notify`
    [[nodiscard]] virtual std::optional<int> exited() = 0;  // exit code, or 128 + signal
    virtual void terminate() = 0;  // SIGTERM; call again: a child may miss the first
    virtual void kill() = 0;
    [[nodiscard]] virtual std::uint64_t resident_bytes() = 0;
};

class Processes {
  public:
    virtual ~Processes() = default;
    [[nodiscard]] virtual Outcome<std::unique_ptr<Child>> start(const Command& command) = 0;
};

}  // namespace stator::process
