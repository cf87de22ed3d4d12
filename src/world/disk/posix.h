// PosixDisk is the machine's own disk: pwrite, fdatasync, flock, mmap and futex.
#pragma once

#include "world/disk/disk.h"

namespace stator::disk {

class PosixDisk final : public Disk {
  public:
    [[nodiscard]] Outcome<std::unique_ptr<File>> open(const std::string& path, Mode mode) override;
    [[nodiscard]] Outcome<std::unique_ptr<SharedWords>> map(
        const std::string& path, std::size_t words, bool writable
    ) override;
    [[nodiscard]] Outcome<std::unique_ptr<Lock>> lock(const std::string& path) override;
    [[nodiscard]] bool exists(const std::string& path) override;
    [[nodiscard]] Outcome<std::vector<Entry>> list(const std::string& directory) override;
    [[nodiscard]] Outcome<void> make_directories(const std::string& path) override;
    [[nodiscard]] Outcome<void> rename(const std::string& from, const std::string& to) override;
    [[nodiscard]] Outcome<void> remove(const std::string& path) override;
    [[nodiscard]] Outcome<void> sync_directory(const std::string& path) override;
    [[nodiscard]] Outcome<std::uint64_t> free_bytes(const std::string& path) override;
    [[nodiscard]] Outcome<void> restrict(const std::string& path, unsigned mode) override;
};

}  // namespace stator::disk
