// Demo is what ./run starts: a site of its own with a simulated (or recorded) motor, and the story.
#pragma once

#include <cstdint>
#include <string>

namespace stator::demo {

struct Options {
    std::string state_dir;
    bool until_closed = false;
    bool break_motor = true;
    bool change_load = true;
    bool block_backup = false;
    std::uint64_t seed = 0;  // 0: the site's
    std::string recording;
    std::string map;
    std::string bench;         // a folder: the device is a board that is emulated there
    double rows_per_s = 25.0;  // of a recording
};

// Returns the process's exit code: 0 when the story closed (or was not asked to).
[[nodiscard]] int run(const Options& options);

}  // namespace stator::demo
