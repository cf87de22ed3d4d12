// SimulatedDisk is a disk in memory whose power can be cut before any operation.
//
// It keeps what was synced apart from what was only written. An operation is a call that changes
// something: a new name, write, truncation, reservation, sync, rename, removal. At a cut every call
// fails, until restart(): then each unsynced write is there, gone, or there up to any byte, each
// for itself and in no order, and each unsynced name likewise. Locks fall, open files are dead.
// SharedWords live outside the cut: a restart clears them.
#pragma once

#include "world/disk/disk.h"

#include <limits>
#include <map>

namespace stator::disk {

// What becomes of unsynced work at a power cut.
enum class Survival : std::uint8_t { none, random, all };

class SimulatedDisk : public Disk {
  public:
    static constexpr std::uint64_t never = std::numeric_limits<std::uint64_t>::max();

    explicit SimulatedDisk(std::uint64_t seed = 1);
    ~SimulatedDisk() override;
    SimulatedDisk(const SimulatedDisk&) = delete;
    SimulatedDisk& operator=(const SimulatedDisk&) = delete;
    SimulatedDisk(SimulatedDisk&&) = delete;
    SimulatedDisk& operator=(SimulatedDisk&&) = delete;

    [[nodiscard]] std::uint64_t operations() const;
    // The power goes before the operation with this number (the first is 0).
    void cut_power_before(std::uint64_t operation);
    [[nodiscard]] bool power_is_off() const;
    void restart(Survival survival);
    void set_capacity(std::uint64_t bytes);
    // From now on every sync fails, as a dying disk's does.
    void fail_syncs(bool fail);
    // Flips one bit: what a worn cell does.
    void spoil(const std::string& path, std::uint64_t offset);

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

  private:
    struct State;
    friend class SimulatedFile;
    std::shared_ptr<State> state_;  // open files and locks may outlive the disk
};

}  // namespace stator::disk
