// The Supervisor keeps a site's processes running: starts them in order, restarts what dies, stops
// them in reverse order.
//
// A process that dies is started again at once, then after 0.2 s, 0.4 s ... 10 s while it keeps
// dying; ten calm seconds forget that. After `deaths_told` deaths in a row it is tried on, but not
// told again until it has stayed up. stop() sends SIGTERM (again each half second: a broker may
// miss the first), and SIGKILL after `stop_timeout_us`. Nothing outlives the supervisor, however it
// ends.
#pragma once

#include "world/clock/clock.h"
#include "world/journal/journal.h"
#include "world/process/process.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace stator::supervise {

inline constexpr std::int64_t stop_timeout_us = 5'000'000;
inline constexpr std::uint64_t deaths_told = 6;

struct Status {
    std::string name;
    int pid = 0;  // 0: not running now
    bool ready = false;
    std::uint64_t restarts = 0;
    std::uint64_t resident_bytes = 0;
};

class Supervisor {
  public:
    Supervisor(process::Processes& processes, clock::Clock& clock, journal::Journal& journal);
    ~Supervisor();
    Supervisor(const Supervisor&) = delete;
    Supervisor& operator=(const Supervisor&) = delete;

    // Started by step(), when those added before it are ready.
    void add(process::Command command);
    // True when something was started or found dead.
    bool step();
    void stop();

    [[nodiscard]] bool all_ready();
    [[nodiscard]] std::vector<Status> status();

  private:
    struct Member {
        process::Command command;
        std::unique_ptr<process::Child> child;
        bool was_ready = false;
        std::uint64_t restarts = 0;
        std::uint64_t deaths_in_a_row = 0;
        std::int64_t started_us = 0;
        std::int64_t next_start_us = 0;
        std::int64_t backoff_us = 0;
    };

    bool start(Member& member);
    void bury(Member& member, int code);
    void fall_back(Member& member, const std::string& what);

    process::Processes& processes_;
    clock::Clock& clock_;
    journal::Journal& journal_;
    std::vector<Member> members_;
};

}  // namespace stator::supervise
