// Whatever stands in a commit page: the whole slot with the higher generation counts, or none. Then
// the same with the CRCs put right.
#include "shared/base/crc32c.h"
#include "store/log/format.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace {

using namespace stator::log;

void check(const std::vector<std::byte>& page) {
    const auto found = decode_commit_page(page);
    std::optional<CommitSlot> one;
    std::optional<CommitSlot> two;
    one = decode_commit_slot(page);
    if (page.size() >= commit_slot_stride)
        two = decode_commit_slot(Bytes{page}.subspan(commit_slot_stride));
    if (found.has_value() != (one || two)) std::abort();
    if (!found) return;
    for (const auto& slot : {one, two})
        if (slot && slot->generation > found->generation) std::abort();
    std::vector<std::byte> again(commit_slot_bytes);
    encode(*found, again);
    const auto same = decode_commit_slot(again);
    if (!same || same->generation != found->generation || same->offset != found->offset ||
        same->required != found->required)
        std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // The second slot's bytes follow the first's in the input: 4 KB of nothing teach nothing.
    std::vector<std::byte> page(size <= 64 ? size : commit_slot_stride + size - 64);
    if (size != 0) std::memcpy(page.data(), data, std::min<std::size_t>(size, 64));
    if (size > 64) std::memcpy(page.data() + commit_slot_stride, data + 64, size - 64);
    check(page);
    for (const std::size_t at : {std::size_t{0}, commit_slot_stride}) {
        if (page.size() < at + commit_slot_bytes) continue;
        std::memcpy(page.data() + at, "STATORCP\1\0\0\0", 12);
        const std::uint32_t crc = stator::base::crc32c(Bytes{page}.subspan(at, 60));
        std::memcpy(page.data() + at + 60, &crc, 4);
        if (!decode_commit_slot(Bytes{page}.subspan(at))) std::abort();
    }
    check(page);
    return 0;
}
