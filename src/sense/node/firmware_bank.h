// A FirmwareBank is the two slots for a device's program, and the log that says which one is meant.
//
//   | log, 2 sectors | slot 0 | slot 1 |      slot: header, image (shared/firmware)
//
//   none --propose--> pending --the boot stage--> running --confirm--> none, in the other slot
//                        | image not whole           | a restart before that
//                        v                           v
//                     damaged, not_confirmed: the old program runs, and tells of it
//
// The slot that the log names is never written; each step is one record, so a power cut leaves the
// step before or after it. The release that was confirmed once never falls, whatever runs.
// Format: docs/formats/firmware.md.
#pragma once

#include "sense/node/record_log.h"
#include "sense/node/slot_pair.h"
#include "shared/firmware/image.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace stator::node {

enum class FirmwareTrial : std::uint32_t { none, pending, running, not_confirmed, damaged };

struct FirmwareState {
    std::uint32_t slot = 0;     // that runs, but during a trial
    std::uint32_t release = 0;  // confirmed: what an update must exceed
    FirmwareTrial trial = FirmwareTrial::none;
    std::uint32_t candidate = 0;  // the release on trial, or that failed it

    [[nodiscard]] std::uint32_t running_slot() const {
        return trial == FirmwareTrial::running ? 1 - slot : slot;
    }
};

class FirmwareBank {
  public:
    // `image_offset`: as hal::Firmware's.
    explicit FirmwareBank(hal::Flash& flash, std::size_t image_offset = firmware::header_bytes);

    // Without a record: slot 0, as the factory left it.
    [[nodiscard]] FirmwareState state() const;
    [[nodiscard]] base::Result<void> append(const FirmwareState& state);
    // The candidate becomes what runs.
    [[nodiscard]] base::Result<void> confirm();

    // The idle slot, for the file as it comes; no write crosses the end of its header.
    void begin() { pair_.begin(); }

    [[nodiscard]] base::Result<bool> erase_next(std::size_t file_bytes);
    [[nodiscard]] base::Result<void> write(std::size_t at, std::span<const std::byte> bytes);

    [[nodiscard]] std::size_t image_bytes_max() const;
    [[nodiscard]] base::Result<firmware::Header> header(std::uint32_t slot) const;
    [[nodiscard]] std::span<const std::byte> image(std::uint32_t slot, std::size_t bytes) const;
    // Does the slot hold an image that is what its header says?
    [[nodiscard]] bool whole(std::uint32_t slot, firmware::Sha256 sha256) const;

  private:
    RecordLog log_;
    SlotPair pair_;
    std::size_t image_offset_;
};

struct BootChoice {
    bool found = false;  // nothing to run otherwise
    std::uint32_t slot = 0;
    bool trial = false;
};

// What the boot stage does: a pending image gets one trial, an unconfirmed one is over; what runs
// is whole. When the confirmed one is not, the other runs rather than none.
[[nodiscard]] BootChoice choose_firmware(FirmwareBank& bank, firmware::Sha256 sha256);

}  // namespace stator::node
