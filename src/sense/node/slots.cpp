#include "sense/node/slots.h"

#include <algorithm>

namespace stator::node {
namespace {

using base::Fault;
using base::Result;

constexpr std::uint32_t boot_magic = 0x544F4F42;    // "BOOT"
constexpr std::uint32_t commit_magic = 0x4C444F4D;  // "MODL"

std::size_t round_up(std::size_t value, std::size_t step) {
    return (value + step - 1) / step * step;
}

std::size_t slot_bytes(std::size_t flash_bytes, std::size_t sector_bytes) {
    return (flash_bytes / sector_bytes - 4) / 2 * sector_bytes;
}

}  // namespace

std::size_t tflite_bytes_max(std::size_t flash_bytes, std::size_t sector_bytes) {
    const std::size_t slot = slot_bytes(flash_bytes, sector_bytes);
    return slot - std::min(slot, round_up(bundle::envelope_bytes_max, sector_bytes));
}

Slots::Slots(hal::Flash& flash)
    : flash_{flash},
      boots_{flash, 0, boot_magic},
      commits_{flash, 2 * flash.sector_bytes(), commit_magic},
      pair_{flash, 4 * flash.sector_bytes(), slot_bytes(flash.size_bytes(), flash.sector_bytes())},
      envelope_area_bytes_{round_up(bundle::envelope_bytes_max, flash.sector_bytes())} {}

Result<std::uint32_t> Slots::count_boot() {
    const auto last = boots_.last();
    RecordLog::Words words{};
    if (last) words = *last;
    ++words[0];
    words[2] = release();
    const auto written = boots_.append(words);
    if (!written) return std::unexpected{written.error()};
    return words[0];
}

bool Slots::known_active() const {
    const auto last = boots_.last();
    return last && (*last)[1] == 1;
}

Result<void> Slots::remember_active(bool active) {
    auto last = boots_.last();
    if (!last) return std::unexpected{last.error()};
    (*last)[1] = active ? 1 : 0;
    return boots_.append(*last);
}

ActorMemory Slots::actor() const {
    const auto last = boots_.last();
    if (!last) return {};
    return {.starts = (*last)[3], .locked_out = (*last)[4] == 1};
}

Result<void> Slots::remember_actor(const ActorMemory& memory) {
    auto last = boots_.last();
    if (!last) return std::unexpected{last.error()};
    (*last)[3] = memory.starts;
    (*last)[4] = memory.locked_out ? 1 : 0;
    return boots_.append(*last);
}

std::optional<Commit> Slots::committed() const {
    const auto last = commits_.last();
    if (!last) return std::nullopt;
    const Commit commit{
        .slot = (*last)[0],
        .release = (*last)[1],
        .envelope_bytes = (*last)[2],
        .tflite_bytes = (*last)[3],
    };
    const bool fits = commit.slot < 2 && commit.envelope_bytes <= bundle::envelope_bytes_max &&
                      commit.tflite_bytes <= tflite_bytes_max();
    if (!fits) return std::nullopt;
    return commit;
}

std::uint32_t Slots::release() const {
    const auto boot = boots_.last();
    const auto commit = committed();
    return std::max(boot ? (*boot)[2] : 0, commit ? commit->release : 0);
}

std::uint32_t Slots::idle() const {
    const auto commit = committed();
    return commit ? 1 - commit->slot : 0;
}

std::size_t Slots::tflite_bytes_max() const {
    return node::tflite_bytes_max(flash_.size_bytes(), flash_.sector_bytes());
}

Result<bool> Slots::erase_next(std::size_t tflite_bytes) {
    if (tflite_bytes > tflite_bytes_max()) return std::unexpected{Fault::full};
    const std::size_t needed = envelope_area_bytes_ + round_up(tflite_bytes, flash_.sector_bytes());
    return pair_.erase_next(idle(), needed);
}

Result<void> Slots::write_envelope(std::string_view text) {
    if (text.size() > bundle::envelope_bytes_max) return std::unexpected{Fault::full};
    return pair_.write(idle(), 0, std::as_bytes(std::span{text.data(), text.size()}));
}

Result<void> Slots::write_tflite(std::size_t offset, std::span<const std::byte> bytes) {
    if (offset > tflite_bytes_max() || bytes.size() > tflite_bytes_max() - offset)
        return std::unexpected{Fault::full};
    return pair_.write(idle(), envelope_area_bytes_ + offset, bytes);
}

Result<void> Slots::commit(const Commit& commit) {
    return commits_.append(
        {commit.slot, commit.release, commit.envelope_bytes, commit.tflite_bytes, 0}
    );
}

std::string_view Slots::envelope(std::uint32_t slot, std::size_t bytes) const {
    const auto mapped = pair_.mapped(slot, 0, bytes);
    return {reinterpret_cast<const char*>(mapped.data()), mapped.size()};
}

std::span<const std::byte> Slots::tflite(std::uint32_t slot, std::size_t bytes) const {
    return pair_.mapped(slot, envelope_area_bytes_, bytes);
}

}  // namespace stator::node
