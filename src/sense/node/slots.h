// Slots are the two places for a model in flash, and the record that says which one is meant.
//
//   | boot log, 2 sectors | commit log, 2 sectors | slot 0 | slot 1 |
//   slot: | envelope, padded to whole sectors | .tflite |
//
// release() is the highest that was ever committed: the boot log has it too, so it outlives the
// commit log.
//
// begin() erases the idle slot sector by sector, write_*() fill it, commit() makes it the one in a
// single record. The slot that the last commit names is never touched. Format:
// docs/formats/node-flash.md.
#pragma once

#include "sense/hal/flash.h"
#include "sense/node/record_log.h"
#include "sense/node/slot_pair.h"
#include "shared/bundle/manifest.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace stator::node {

struct Commit {
    std::uint32_t slot = 0;
    std::uint32_t release = 0;
    std::uint32_t envelope_bytes = 0;
    std::uint32_t tflite_bytes = 0;
};

// The largest .tflite that a slot of so large a flash holds.
[[nodiscard]] std::size_t tflite_bytes_max(std::size_t flash_bytes, std::size_t sector_bytes);

// What a restart may not forget of the backup line.
struct ActorMemory {
    std::uint32_t starts = 0;  // in the last hour
    bool locked_out = false;   // by a person

    bool operator==(const ActorMemory&) const = default;
};

class Slots {
  public:
    explicit Slots(hal::Flash& flash);

    // Counts this start, durably: the number of it, 1 for the first.
    [[nodiscard]] base::Result<std::uint32_t> count_boot();
    [[nodiscard]] bool known_active() const;
    [[nodiscard]] base::Result<void> remember_active(bool active);

    [[nodiscard]] ActorMemory actor() const;
    [[nodiscard]] base::Result<void> remember_actor(const ActorMemory& memory);

    [[nodiscard]] std::optional<Commit> committed() const;
    [[nodiscard]] std::uint32_t release() const;
    [[nodiscard]] std::uint32_t idle() const;  // the slot that may be written
    [[nodiscard]] std::size_t tflite_bytes_max() const;

    // Erases the next sector of the idle slot; true when all that is needed is erased.
    void begin() { pair_.begin(); }

    [[nodiscard]] base::Result<bool> erase_next(std::size_t tflite_bytes);
    [[nodiscard]] base::Result<void> write_envelope(std::string_view text);
    [[nodiscard]] base::Result<void> write_tflite(
        std::size_t offset, std::span<const std::byte> bytes
    );
    [[nodiscard]] base::Result<void> commit(const Commit& commit);

    [[nodiscard]] std::string_view envelope(std::uint32_t slot, std::size_t bytes) const;
    [[nodiscard]] std::span<const std::byte> tflite(std::uint32_t slot, std::size_t bytes) const;

  private:
    hal::Flash& flash_;
    RecordLog boots_;
    RecordLog commits_;
    SlotPair pair_;
    std::size_t envelope_area_bytes_;
};

}  // namespace stator::node
