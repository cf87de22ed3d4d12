#include "store/log/inspect.h"

#include "store/log/walk.h"

#include <algorithm>

namespace stator::log {
namespace {

constexpr std::int64_t rate_over_ms = 60'000;
constexpr double ms_per_day = 86'400'000;

// The end of the records in a segment, as far as they are whole.
Outcome<std::uint64_t> end_of(disk::Disk& disk, const Segment& segment) {
    auto walk = Walk::open(disk, segment);
    if (!walk) return std::unexpected(walk.error());
    for (std::uint64_t position = segment.first_record();;) {
        const auto parsed = walk->at(position);
        if (!parsed) return std::unexpected(parsed.error());
        if (parsed->kind != Parsed::Kind::record) return position;
        position += parsed->size;
    }
}

// What the writer published of it, unless that cannot be: a log that was cut, or put back.
std::optional<std::uint64_t> published_end(const Segment& last, const Published& published) {
    const bool of_this_epoch = published.epoch == last.header.epoch;
    const bool within =
        published.end >= last.first_record() && published.end <= last.header.base + last.file_bytes;
    return of_this_epoch && within ? std::optional{published.end} : std::nullopt;
}

// Retired between the listing and the look: that is no fault.
bool gone(const Error& error) {
    return error.fault == base::Fault::not_found;
}

std::optional<double> rate_of(const Holding& held, std::int64_t now_unix_ms) {
    if (held.segments.empty()) return std::nullopt;
    const Segment* since = held.segments.data();
    for (const Segment& segment : held.segments)
        if (segment.header.created_unix_ms <= now_unix_ms - rate_over_ms) since = &segment;
    const std::int64_t ms = now_unix_ms - since->header.created_unix_ms;
    if (ms < 1000 || held.end.position < since->first_record()) return std::nullopt;
    return static_cast<double>(held.end.position - since->first_record()) * 1000 /
           static_cast<double>(ms);
}

void add_pins(Holding& held, const std::vector<Place>& places) {
    std::optional<std::uint64_t> lowest;
    for (const Place& place : places) {
        if (place.log_class != held.log_class || !place.slot.required) continue;
        const std::uint64_t position = clamp(place.slot.offset, held.segments).position;
        if (lowest && *lowest <= position) continue;
        lowest = position;
        held.pinned_by = place.reader;
    }
    if (!lowest || *lowest >= held.end.position) return;
    // Whole segments are kept, so the whole one that it stands in is pinned.
    std::uint64_t from = held.first;
    for (const Segment& segment : held.segments)
        if (segment.header.base <= *lowest) from = segment.header.base;
    held.pinned_bytes = held.end.position - from;
}

}  // namespace

std::optional<std::array<Published, class_count>> read_words(
    disk::Disk& disk, const std::string& log_directory
) {
    const auto words = disk.map(log_directory + "/words", word_count, false);
    if (!words) return std::nullopt;
    std::array<Published, class_count> all;
    for (std::size_t i = 0; i < class_count; ++i) {
        const auto word = [&](Word w) {
            return (*words)->load(word_index(static_cast<Class>(i), w));
        };
        all[i].epoch = word(Word::epoch);
        if (all[i].epoch == 0) return std::nullopt;
        all[i].synced = word(Word::synced);
        all[i].first = word(Word::first);
        all[i].budget = word(Word::budget);
        all[i].end = word(Word::end);
    }
    return all;
}

Outcome<std::array<Holding, class_count>> look_at(
    disk::Disk& disk, const std::string& log_directory, std::int64_t now_unix_ms
) {
    const auto words = read_words(disk, log_directory);
    auto places = list_places(disk, log_directory);
    if (!places) return std::unexpected(places.error());
    std::array<Holding, class_count> all;
    for (std::size_t i = 0; i < class_count; ++i) {
        Holding& held = all[i];
        held.log_class = static_cast<Class>(i);
        const std::string directory = directory_of(log_directory, held.log_class);
        auto listing = list_segments(disk, directory);
        if (!listing) return std::unexpected(listing.error());
        held.segments = std::move(listing->segments);
        auto entries = disk.list(directory);
        if (!entries) return std::unexpected(entries.error());
        for (const disk::Entry& entry : *entries)
            if (entry.name.starts_with("spare-")) held.spare_bytes += entry.size_bytes;
        for (const Segment& segment : held.segments)
            held.segment_bytes += segment.file_bytes;
        if (!held.segments.empty()) {
            const Segment& last = held.segments.back();
            held.first = held.segments.front().header.base;
            const auto known = words ? published_end(last, (*words)[i]) : std::nullopt;
            auto end = known ? Outcome<std::uint64_t>{*known} : end_of(disk, last);
            if (!end && !gone(end.error())) return std::unexpected(end.error());
            held.end = {last.header.epoch, end ? *end : last.first_record()};
        }
        if (words) {
            held.synced = (*words)[i].synced;
            if ((*words)[i].budget != 0) held.budget_bytes = (*words)[i].budget;
        }
        held.bytes_per_s = rate_of(held, now_unix_ms);
        add_pins(held, *places);
        if (held.budget_bytes && held.bytes_per_s && *held.bytes_per_s > 0) {
            const std::uint64_t left =
                *held.budget_bytes - std::min(*held.budget_bytes, held.pinned_bytes);
            held.autonomy_days = static_cast<double>(left) / *held.bytes_per_s * 1000 / ms_per_day;
        }
    }
    return all;
}

Outcome<std::vector<ReaderLag>> look_at_readers(
    disk::Disk& disk, const std::string& log_directory
) {
    auto places = list_places(disk, log_directory);
    if (!places) return std::unexpected(places.error());
    std::vector<ReaderLag> all;
    for (Place& place : *places) {
        auto listing = list_segments(disk, directory_of(log_directory, place.log_class));
        if (!listing) return std::unexpected(listing.error());
        ReaderLag lag;
        const Offset from = clamp(place.slot.offset, listing->segments);
        lag.place = std::move(place);
        const auto& segments = listing->segments;
        if (!segments.empty() && from.position < segments.front().header.base)
            lag.missed_bytes = segments.front().header.base - from.position;
        std::uint64_t end = from.position;
        for (std::size_t i = 0; i < segments.size(); ++i) {
            if (i + 1 < segments.size() && segments[i + 1].header.base <= from.position) continue;
            auto walk = Walk::open(disk, segments[i]);
            if (!walk && gone(walk.error())) continue;
            if (!walk) return std::unexpected(walk.error());
            std::uint64_t position = std::max(segments[i].first_record(), from.position);
            for (;; end = std::max(end, position)) {
                const auto parsed = walk->at(position);
                if (!parsed) return std::unexpected(parsed.error());
                if (parsed->kind != Parsed::Kind::record) break;
                position += parsed->size;
                if ((parsed->header.flags & RecordHeader::only_mark) == 0) ++lag.records;
            }
        }
        lag.bytes = end - from.position - std::min(end - from.position, lag.missed_bytes);
        all.push_back(std::move(lag));
    }
    return all;
}

}  // namespace stator::log
