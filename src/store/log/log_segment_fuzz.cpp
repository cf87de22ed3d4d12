// Whatever a segment's file holds: readers come to its end, verify says what is wrong, a writer
// opens the log, appends to it, and what it appended is read.
#include "shared/base/crc32c.h"
#include "store/log/reader.h"
#include "store/log/verify.h"
#include "store/log/writer.h"
#include "world/clock/virtual.h"
#include "world/disk/simulated.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace {

using namespace stator;
using namespace stator::log;

Budgets small() {
    Budgets budgets;
    for (Budget* budget : {&budgets.waveform, &budgets.telemetry, &budgets.alarm, &budgets.control})
        *budget = {16384, 4096, false};
    return budgets;
}

// Records that are only wrong in their CRC become right.
void right_records(std::vector<std::byte>& bytes) {
    const auto header = decode_segment(bytes);
    if (!header) return;
    std::uint64_t at = segment_header_bytes + std::uint64_t{header->snapshot_bytes};
    while (at + record_header_bytes <= bytes.size()) {
        const Parsed parsed = parse_record(Bytes{bytes}.subspan(at), at);
        if (parsed.size == 0 || at + parsed.size > bytes.size()) return;
        const std::uint32_t crc = record_crc(Bytes{bytes}.subspan(at, parsed.size), at);
        std::memcpy(bytes.data() + at, &crc, 4);
        at += parsed.size;
    }
}

void read_to_the_end(disk::Disk& disk) {
    auto reader = Reader::open(disk, "/log", Class::telemetry, {});
    if (!reader) std::abort();
    for (int i = 0; i < 10'000; ++i) {
        const auto item = (*reader)->next();
        if (!item) std::abort();
        if (!*item) return;
    }
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1 || size > 8192) return 0;
    std::vector<std::byte> bytes(size - 1);
    if (!bytes.empty()) std::memcpy(bytes.data(), data + 1, bytes.size());
    if (data[0] % 2 != 0 && bytes.size() >= segment_header_bytes) {
        std::memcpy(bytes.data(), "STATORLG\1\0\0\0\1\0\0\0", 16);
        std::memset(bytes.data() + 16, 0, 8);
        const std::uint32_t crc = base::crc32c(Bytes{bytes}.first(60));
        std::memcpy(bytes.data() + 60, &crc, 4);
        right_records(bytes);
    }
    disk::SimulatedDisk disk;
    clock::VirtualClock clock{1'700'000'000'000};
    if (!disk.make_directories("/log/telemetry")) std::abort();
    {
        auto file = disk.open("/log/telemetry/" + segment_name(0), disk::Mode::create);
        if (!file || !(*file)->write_at(0, bytes)) std::abort();
        auto words = disk.map("/log/words", word_count, true);
        if (!words) std::abort();
        for (std::size_t i = 0; i < class_count; ++i) {
            const auto c = static_cast<Class>(i);
            (*words)->store(word_index(c, Word::epoch), 1);
            (*words)->store(word_index(c, Word::end), c == Class::telemetry ? bytes.size() : 0);
        }
    }
    read_to_the_end(disk);
    for (const char* name : {"waveform", "alarm", "control"})
        if (!disk.make_directories(std::string{"/log/"} + name)) std::abort();
    if (!verify(disk, "/log")) std::abort();
    auto writer = Writer::open(disk, clock, "/log", small());
    if (!writer) return 0;  // a header may claim what no writer takes; it says so
    RecordView record;
    record.sender = "pump";
    record.payload = "after";
    if (!(*writer)->append(Class::telemetry, record)) return 0;
    if (!(*writer)->sync() || !verify(disk, "/log")) std::abort();
    read_to_the_end(disk);
    return 0;
}
