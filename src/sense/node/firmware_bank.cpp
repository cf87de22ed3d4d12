#include "sense/node/firmware_bank.h"

namespace stator::node {

using base::Fault;
using base::Result;

namespace {

constexpr std::uint32_t firmware_magic = 0x4D524946;  // "FIRM"
constexpr std::size_t log_sectors = 2;

std::size_t slot_bytes(const hal::Flash& flash) {
    return (flash.size_bytes() / flash.sector_bytes() - log_sectors) / 2 * flash.sector_bytes();
}

}  // namespace

FirmwareBank::FirmwareBank(hal::Flash& flash, std::size_t image_offset)
    : log_{flash, 0, firmware_magic},
      pair_{flash, log_sectors * flash.sector_bytes(), slot_bytes(flash)},
      image_offset_{image_offset} {}

FirmwareState FirmwareBank::state() const {
    const auto last = log_.last();
    FirmwareState state;
    if (!last || (*last)[0] > 1 ||
        (*last)[2] > static_cast<std::uint32_t>(FirmwareTrial::damaged)) {
        const auto factory = header(0);
        state.release = factory ? factory->release : 0;
        return state;
    }
    state.slot = (*last)[0];
    state.release = (*last)[1];
    state.trial = static_cast<FirmwareTrial>((*last)[2]);
    state.candidate = (*last)[3];
    return state;
}

Result<void> FirmwareBank::append(const FirmwareState& state) {
    return log_.append(
        {state.slot, state.release, static_cast<std::uint32_t>(state.trial), state.candidate, 0}
    );
}

Result<void> FirmwareBank::confirm() {
    const FirmwareState now = state();
    if (now.trial != FirmwareTrial::running) return std::unexpected{Fault::bad_input};
    return append({.slot = 1 - now.slot, .release = now.candidate});
}

Result<bool> FirmwareBank::erase_next(std::size_t file_bytes) {
    return pair_.erase_next(1 - state().slot, file_bytes - firmware::header_bytes + image_offset_);
}

Result<void> FirmwareBank::write(std::size_t at, std::span<const std::byte> bytes) {
    const bool image = at >= firmware::header_bytes;
    return pair_.write(
        1 - state().slot, image ? at - firmware::header_bytes + image_offset_ : at, bytes
    );
}

std::size_t FirmwareBank::image_bytes_max() const {
    return pair_.slot_bytes() - image_offset_;
}

Result<firmware::Header> FirmwareBank::header(std::uint32_t slot) const {
    return firmware::parse(pair_.mapped(slot, 0, firmware::header_bytes));
}

std::span<const std::byte> FirmwareBank::image(std::uint32_t slot, std::size_t bytes) const {
    return pair_.mapped(slot, image_offset_, bytes);
}

bool FirmwareBank::whole(std::uint32_t slot, firmware::Sha256 sha256) const {
    const auto head = header(slot);
    if (!head || head->image_bytes > image_bytes_max()) return false;
    firmware::Digest digest{};
    sha256(image(slot, head->image_bytes), digest);
    return digest == head->sha256;
}

namespace {

// One trial for a pending image: that it has begun is written before it runs.
bool begin_trial(FirmwareBank& bank, FirmwareState& state, firmware::Sha256 sha256) {
    const auto candidate = bank.header(1 - state.slot);
    const bool fine = candidate && candidate->release == state.candidate &&
                      state.candidate > state.release && bank.whole(1 - state.slot, sha256);
    state.trial = fine ? FirmwareTrial::running : FirmwareTrial::damaged;
    return bank.append(state).has_value() && fine;
}

}  // namespace

BootChoice choose_firmware(FirmwareBank& bank, firmware::Sha256 sha256) {
    FirmwareState state = bank.state();
    if (state.trial == FirmwareTrial::pending) {
        if (begin_trial(bank, state, sha256))
            return {.found = true, .slot = 1 - state.slot, .trial = true};
    } else if (state.trial == FirmwareTrial::running) {
        state.trial = FirmwareTrial::not_confirmed;
        // Even when this cannot be written: the trial is over, and no other begins.
        static_cast<void>(bank.append(state));
    }
    if (bank.whole(state.slot, sha256)) return {.found = true, .slot = state.slot};
    state.slot = 1 - state.slot;  // the release that was confirmed stays what must be exceeded
    if (!bank.whole(state.slot, sha256)) return {};
    static_cast<void>(bank.append(state));
    return {.found = true, .slot = state.slot};
}

}  // namespace stator::node
