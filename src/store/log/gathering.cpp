#include "store/log/gathering.h"

#include "store/log/segments.h"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace stator::log {
namespace {

constexpr std::string_view magic = "STATORGA";
constexpr std::size_t from_at = 16;
constexpr std::size_t bytes_max = 64U << 20U;

void put_from(std::span<std::byte> memory, std::uint64_t position) {
    static_assert(std::endian::native == std::endian::little);
    std::memcpy(memory.data() + from_at, &position, sizeof position);
}

std::optional<std::uint64_t> read_from(Bytes bytes) {
    std::uint32_t version = 0;
    std::uint64_t from = 0;
    if (bytes.size() < gathering_header_bytes ||
        std::memcmp(bytes.data(), magic.data(), magic.size()) != 0)
        return std::nullopt;
    std::memcpy(&version, bytes.data() + 8, sizeof version);
    std::memcpy(&from, bytes.data() + from_at, sizeof from);
    if (version != format_version) return std::nullopt;
    return from;
}

// How many bytes of whole records of that epoch stand at the start, one after the other.
std::size_t whole_bytes(Bytes bytes, std::uint64_t position, std::uint32_t epoch) {
    std::size_t size = 0;
    for (std::uint64_t before = 0;;) {
        const Parsed parsed = parse_record(bytes.subspan(size), position + size);
        if (parsed.kind != Parsed::Kind::record || parsed.header.epoch != epoch ||
            parsed.header.ordinal <= before)
            return size;
        before = parsed.header.ordinal;
        size += parsed.size;
    }
}

}  // namespace

std::string gathering_path(const std::string& log_directory, Class log_class) {
    return log_directory + "/gathering." + std::string{name_of(log_class)};
}

Outcome<std::unique_ptr<Gathering>> Gathering::open(
    disk::Disk& disk, const std::string& path, std::size_t bytes, std::uint64_t position
) {
    auto file = disk.open(path, disk::Mode::create);
    if (!file) return std::unexpected(file.error());
    const auto memory = (*file)->map(bytes);
    if (!memory) return std::unexpected(memory.error());
    std::ranges::fill(*memory, std::byte{0});
    std::memcpy(memory->data(), magic.data(), magic.size());
    std::memcpy(memory->data() + 8, &format_version, sizeof format_version);
    put_from(*memory, position);
    if (auto done = (*file)->sync(); !done) return std::unexpected(done.error());
    return std::unique_ptr<Gathering>{new Gathering{std::move(*file), *memory}};
}

void Gathering::let_go(std::uint64_t position) {
    put_from(memory_, position);
    // The next record must not be in memory before this: a kill in between would find it nowhere.
    std::atomic_signal_fence(std::memory_order_seq_cst);
    end_ = gathering_header_bytes;
}

Outcome<void> restore_gathered(
    disk::Disk& disk, const std::string& log_directory, Class log_class
) {
    const std::string path = gathering_path(log_directory, log_class);
    if (!disk.exists(path)) return {};
    auto gathered = disk.read_all(path, bytes_max);
    if (!gathered) return std::unexpected(gathered.error());
    const Bytes bytes = std::as_bytes(std::span{*gathered});
    const auto from = read_from(bytes);
    if (!from) return {};
    auto listing = list_segments(disk, directory_of(log_directory, log_class));
    if (!listing) return std::unexpected(listing.error());
    if (listing->segments.empty()) return {};
    const Segment& last = listing->segments.back();
    if (*from < last.first_record() || *from > last.header.base + last.file_bytes) return {};
    const Bytes records = bytes.subspan(gathering_header_bytes);
    const std::size_t whole = whole_bytes(records, *from, last.header.epoch);
    if (whole == 0) return {};
    auto file = disk.open(last.path, disk::Mode::write);
    if (!file) return std::unexpected(file.error());
    return (*file)->write_at(*from - last.header.base, records.first(whole));
}

}  // namespace stator::log
