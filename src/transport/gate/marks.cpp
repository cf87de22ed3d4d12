#include "transport/gate/marks.h"

#include <algorithm>
#include <utility>

namespace stator::gate {

Marks::Marks(const std::vector<Mark>& synced) {
    for (const Mark& mark : synced) {
        Entry entry;
        entry.boot = entry.synced_boot = mark.boot;
        entry.appended = entry.synced_seq = mark.seq;
        entry.has_synced = true;
        entries_[mark.device] = std::move(entry);
    }
}

void Marks::advance(Entry& entry, std::uint32_t boot, std::uint64_t from, std::uint64_t to) {
    if (boot < entry.boot) return;
    if (boot > entry.boot || (entry.appended == 0 && entry.early.empty() && !entry.has_synced)) {
        entry.boot = boot;
        entry.appended = to;
        entry.early.clear();
        return;
    }
    if (from <= entry.appended + 1) {
        entry.appended = std::max(entry.appended, to);
        if (entry.early.empty()) return;
    } else {
        const auto at = std::ranges::lower_bound(entry.early, from, {}, &Range::from);
        entry.early.insert(at, {from, to});
    }
    // Join what touches; then take in what the mark has reached.
    std::vector<Range> joined;
    for (const Range& range : entry.early) {
        if (range.from <= entry.appended + 1)
            entry.appended = std::max(entry.appended, range.to);
        else if (!joined.empty() && range.from <= joined.back().to + 1)
            joined.back().to = std::max(joined.back().to, range.to);
        else
            joined.push_back(range);
    }
    // Too many holes: forget the highest range. The mark stays below, which is safe: the sender
    // sends it again, or declares it lost.
    if (joined.size() > early_ranges_max) joined.resize(early_ranges_max);
    entry.early = std::move(joined);
}

void Marks::note(
    std::string_view device, std::uint32_t boot, std::uint64_t from, std::uint64_t to
) {
    auto at = entries_.find(device);
    if (at == entries_.end()) at = entries_.emplace(std::string{device}, Entry{}).first;
    Entry& entry = at->second;
    advance(entry, boot, from, to);
    if (!entry.changed) changed_.push_back(at->first);
    entry.changed = true;
}

Mark Marks::preview(
    std::string_view device, std::uint32_t boot, std::uint64_t from, std::uint64_t to
) const {
    const auto at = entries_.find(device);
    Entry entry = at == entries_.end() ? Entry{} : at->second;  // without holes: no heap
    advance(entry, boot, from, to);
    return {std::string{device}, entry.boot, entry.appended};
}

void Marks::begin_sync() {
    for (const std::string& device : changed_) {
        Entry& entry = entries_.find(device)->second;
        entry.changed = false;
        entry.syncing_boot = entry.boot;
        entry.syncing_seq = entry.appended;
    }
    syncing_ = std::exchange(changed_, {});
}

std::vector<std::string> Marks::synced() {
    std::vector<std::string> risen;
    for (std::string& device : std::exchange(syncing_, {})) {
        Entry& entry = entries_.find(device)->second;
        if (entry.has_synced && std::pair{entry.synced_boot, entry.synced_seq} ==
                                    std::pair{entry.syncing_boot, entry.syncing_seq})
            continue;
        entry.has_synced = true;
        entry.synced_boot = entry.syncing_boot;
        entry.synced_seq = entry.syncing_seq;
        risen.push_back(std::move(device));
    }
    return risen;
}

void Marks::sync_failed() {
    for (std::string& device : std::exchange(syncing_, {})) {
        Entry& entry = entries_.find(device)->second;
        if (!entry.changed) changed_.push_back(std::move(device));
        entry.changed = true;
    }
}

Mark Marks::get(std::string_view device) const {
    const auto at = entries_.find(device);
    if (at == entries_.end() || !at->second.has_synced) return {std::string{device}, 0, 0};
    return {std::string{device}, at->second.synced_boot, at->second.synced_seq};
}

}  // namespace stator::gate
