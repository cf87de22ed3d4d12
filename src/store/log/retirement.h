// A Retirement is what a class lets go of and makes ready again, as operations on the disk. They
// run on any thread, beside appends and syncs: nothing that a writer still uses is among them.
//
// The oldest goes first, and is gone for good before the next one goes: a cut leaves no hole.
#pragma once

#include "world/disk/disk.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace stator::log {

struct Retirement {
    struct Removal {
        std::string path;
        std::string unready;  // its name until its space is made ready; empty: its space is freed
    };

    // Of the reserve: its space is asked for, and zeroed where it was used.
    struct Making {
        std::string unready;
        std::string spare;
        bool fresh = false;  // there is no such file yet
        bool made = false;
    };

    std::string directory;
    std::uint64_t segment_bytes = 0;
    std::vector<Removal> removals;  // oldest first
    std::vector<Making> makings;
    std::size_t removed = 0;  // of `removals`
    bool unsure = false;      // whether the last of those is gone for good

    [[nodiscard]] bool empty() const { return removals.empty() && makings.empty(); }

    // Fault::full: the reserve has no space, but what was to go has gone.
    [[nodiscard]] Outcome<void> run(disk::Disk& disk);

  private:
    [[nodiscard]] Outcome<void> remove_all(disk::Disk& disk);
    [[nodiscard]] Outcome<void> make(disk::Disk& disk, Making& making) const;
};

}  // namespace stator::log
