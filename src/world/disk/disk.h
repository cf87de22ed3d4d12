// The Disk is the door to files that must survive: a power cut is part of its contract.
//
// What write_at() stored survives a kill of this process; only what sync() covered survives a power
// cut. A new, renamed or removed name survives it after sync_directory() of its parent; replace()
// does all of that. Paths are absolute. The simulated disk counts operations, can cut the power
// before the n-th, tear the write in flight, and can be full.
#pragma once

#include "world/outcome/outcome.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stator::disk {

class File {
  public:
    virtual ~File() = default;
    // All or an Error (Fault::full when the disk is). A failed write may have stored a prefix.
    [[nodiscard]] virtual Outcome<void> write_at(
        std::uint64_t offset, std::span<const std::byte> bytes
    ) = 0;
    // Bytes read: fewer than asked only at the end of the file.
    [[nodiscard]] virtual Outcome<std::size_t> read_at(
        std::uint64_t offset, std::span<std::byte> into
    ) = 0;
    [[nodiscard]] virtual Outcome<std::uint64_t> size() = 0;
    [[nodiscard]] virtual Outcome<void> truncate(std::uint64_t size) = 0;
    // The file is then at least so long (zeros at its end), and writes within it find their space.
    [[nodiscard]] virtual Outcome<void> preallocate(std::uint64_t size) = 0;
    // Writes below `size` find their space from now on; the size stays what it is.
    [[nodiscard]] virtual Outcome<void> reserve(std::uint64_t size) = 0;
    // The file's first `size` bytes (zeros where it was shorter), in memory for as long as this
    // File lives, and allocated. What is stored there survives a kill as what write_at() stored
    // does; a power cut before sync() leaves any part of it old and any part new.
    [[nodiscard]] virtual Outcome<std::span<std::byte>> map(std::uint64_t size) = 0;
    // Callable from another thread while this one writes: covers what was written before it began.
    [[nodiscard]] virtual Outcome<void> sync() = 0;
};

// A small file of 64-bit words shared by all who map it, in any process. Not durable: a hint that
// wakes readers. load() acquires, store() releases and wakes every waiter.
class SharedWords {
  public:
    virtual ~SharedWords() = default;
    [[nodiscard]] virtual std::uint64_t load(std::size_t index) const = 0;
    virtual void store(std::size_t index, std::uint64_t value) = 0;
    // Returns when the word differs from `seen`, or after the time-out; spurious returns allowed.
    virtual void wait(std::size_t index, std::uint64_t seen, std::int64_t timeout_us) = 0;
};

// Held until destroyed; the kernel lets go when the process dies.
class Lock {
  public:
    virtual ~Lock() = default;
};

enum class Mode : std::uint8_t { read, write, create };  // create: read and write, made if missing

struct Entry {
    std::string name;  // one path component
    bool is_directory = false;
    std::uint64_t size_bytes = 0;
};

class Disk {
  public:
    virtual ~Disk() = default;
    [[nodiscard]] virtual Outcome<std::unique_ptr<File>> open(
        const std::string& path, Mode mode
    ) = 0;
    [[nodiscard]] virtual Outcome<std::unique_ptr<SharedWords>> map(
        const std::string& path, std::size_t words, bool writable
    ) = 0;
    // Fault::again when another process holds it.
    [[nodiscard]] virtual Outcome<std::unique_ptr<Lock>> lock(const std::string& path) = 0;
    [[nodiscard]] virtual bool exists(const std::string& path) = 0;
    [[nodiscard]] virtual Outcome<std::vector<Entry>> list(const std::string& directory) = 0;
    // What it made survives a power cut.
    [[nodiscard]] virtual Outcome<void> make_directories(const std::string& path) = 0;
    [[nodiscard]] virtual Outcome<void> rename(const std::string& from, const std::string& to) = 0;
    [[nodiscard]] virtual Outcome<void> remove(const std::string& path) = 0;  // a file
    [[nodiscard]] virtual Outcome<void> sync_directory(const std::string& path) = 0;
    [[nodiscard]] virtual Outcome<std::uint64_t> free_bytes(const std::string& path) = 0;
    // Permission bits for what is made by this call's path from now on (0600 for keys).
    [[nodiscard]] virtual Outcome<void> restrict(const std::string& path, unsigned mode) = 0;

    // Built on the verbs above. replace(): after it returns the whole new content is there, also
    // after a power cut; before that the whole old content.
    [[nodiscard]] Outcome<std::string> read_all(const std::string& path, std::size_t bytes_max);
    [[nodiscard]] Outcome<void> replace(
        const std::string& path, std::string_view content, unsigned mode = 0644
    );
};

}  // namespace stator::disk
