#include "store/stream/census.h"

#include "shared/wire/messages.h"

#include <algorithm>
#include <variant>

namespace stator::stream {

namespace {

constexpr std::size_t boots_max = 4;

}  // namespace

Outcome<std::unique_ptr<Census>> Census::open(disk::Disk& disk, const std::string& log_directory) {
    std::unique_ptr<Census> made{new Census};
    for (std::size_t i = 0; i < log::class_count; ++i) {
        auto reader = log::Reader::open(disk, log_directory, static_cast<log::Class>(i), {});
        if (!reader) return std::unexpected(reader.error());
        made->classes_[i].reader = std::move(*reader);
    }
    return made;
}

Outcome<bool> Census::step(std::size_t records_max) {
    // By the time of receipt: a class's first record may be a device's thousandth, and none of the
    // thousand before it may count as had.
    std::array<bool, log::class_count> ended{};
    for (std::size_t counted = 0; counted < records_max; ++counted) {
        Followed* earliest = nullptr;
        for (std::size_t i = 0; i < log::class_count; ++i) {
            Followed& it = classes_[i];
            if (!it.next && !ended[i]) {
                auto item = it.reader->next();
                if (!item) return std::unexpected(item.error());
                missed_bytes_ += it.reader->missed_bytes();
                it.next = *item;
                ended[i] = !it.next;
            }
            if (it.next && (earliest == nullptr || it.next->record.receive_unix_ms <
                                                       earliest->next->record.receive_unix_ms))
                earliest = &it;
        }
        if (earliest == nullptr) return false;
        count(earliest->next->record.payload, earliest->next->record.receive_unix_ms);
        earliest->next.reset();
    }
    return true;
}

std::uint64_t Census::fill(Known& known, const Gap& gap) {
    const std::uint64_t filled = known.gaps.take(gap);
    known.device.missing -= filled;
    return filled;
}

void Census::count(std::string_view payload, std::int64_t receive_unix_ms) {
    const auto head = wire::decode_head(payload);
    if (!head || head->device.empty() || !head->seq) return;
    auto found = known_.find(head->device.view());
    if (found == known_.end()) {
        if (known_.size() >= devices_max) return;
        found = known_.emplace(std::string{head->device.view()}, Known{}).first;
    }
    Known& known = found->second;
    Device& device = known.device;
    device.last_seen_unix_ms = std::max(device.last_seen_unix_ms, receive_unix_ms);
    const std::uint32_t boot = head->boot.value_or(0);
    const std::uint64_t seq = *head->seq;
    const auto [highest, fresh] = known.highest.try_emplace(boot, seq);
    if (!fresh && seq <= highest->second) {
        // Late, or again.
        if (fill(known, {boot, seq, seq}) == 0) {
            ++device.duplicates;
            return;
        }
    } else if (!fresh) {
        if (seq > highest->second + 1) {
            known.gaps.add({boot, highest->second + 1, seq - 1});
            device.missing += seq - highest->second - 1;
        }
        highest->second = seq;
    }
    ++device.received;
    if (known.highest.size() > boots_max) known.highest.erase(known.highest.begin());
    if (!known.highest.empty()) {
        device.boot = known.highest.rbegin()->first;
        device.seq = known.highest.rbegin()->second;
    }
    if (head->event.view() != "gap") return;
    const auto event = wire::decode_event(payload);
    if (!event) return;
    if (const auto* gap = std::get_if<wire::GapEvent>(&event->what))
        device.declared += fill(known, {boot, gap->from, gap->to});
}

std::map<std::string, Census::Device> Census::devices() const {
    std::map<std::string, Device> all;
    for (const auto& [id, known] : known_)
        all.emplace(id, known.device);
    return all;
}

void Census::tell(metrics::Metrics& metrics) const {
    for (const auto& [id, known] : known_) {
        const std::string label = metrics::label("device", id);
        const Device& device = known.device;
        const auto set = [&](std::string_view name, auto value) {
            metrics.set(name, static_cast<double>(value), label);
        };
        set("stator_device_received_messages", device.received);
        set("stator_device_duplicate_messages", device.duplicates);
        set("stator_device_missing_messages", device.missing);
        set("stator_device_shed_messages", device.declared);
        set("stator_device_last_seen_unix_ms", device.last_seen_unix_ms);
    }
    metrics.set("stator_device_uncounted_bytes", static_cast<double>(missed_bytes_));
}

}  // namespace stator::stream
