#include "store/log/retirement.h"

#include "store/log/segments.h"

#include <algorithm>
#include <array>

namespace stator::log {

Outcome<void> Retirement::run(disk::Disk& disk) {
    if (auto done = remove_all(disk); !done) return done;
    for (Making& making : makings) {
        if (auto done = make(disk, making); !done) {
            // What it left behind must not be counted twice.
            if (making.fresh && disk.exists(making.unready)) (void)disk.remove(making.unready);
            return done;
        }
        making.made = true;
    }
    return {};
}

Outcome<void> Retirement::remove_all(disk::Disk& disk) {
    for (const Removal& removal : removals) {
        const std::string index = index_path(removal.path);
        if (disk.exists(index)) (void)disk.remove(index);
        auto done = removal.unready.empty() ? disk.remove(removal.path)
                                            : disk.rename(removal.path, removal.unready);
        if (!done) return done;
        ++removed;
        if (done = disk.sync_directory(directory); !done) {
            unsure = true;
            return done;
        }
    }
    return {};
}

Outcome<void> Retirement::make(disk::Disk& disk, Making& making) const {
    auto file = disk.open(making.unready, disk::Mode::create);
    if (!file) return std::unexpected(file.error());
    const auto old = (*file)->size();
    if (!old) return std::unexpected(old.error());
    if (auto done = (*file)->preallocate(segment_bytes); !done) return done;
    // Space that is already ours is overwritten, not given back: it may be gone the next moment.
    static constexpr std::array<std::byte, 65536> zeros{};
    for (std::uint64_t at = 0; at < *old; at += zeros.size()) {
        const std::size_t n = std::min<std::uint64_t>(zeros.size(), *old - at);
        if (auto done = (*file)->write_at(at, Bytes{zeros}.first(n)); !done) return done;
    }
    if (auto done = (*file)->sync(); !done) return done;
    return disk.rename(making.unready, making.spare);
}

}  // namespace stator::log
