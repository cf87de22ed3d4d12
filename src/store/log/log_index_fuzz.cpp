// Whatever stands in an index: a reader that seeks a time finds the first record at or after it.
// Odd inputs have their entries' CRCs put right, so that lies come through, too.
#include "store/log/reader.h"
#include "store/log/verify.h"
#include "store/log/writer.h"
#include "world/clock/virtual.h"
#include "world/disk/simulated.h"

#include <fmt/format.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace {

using namespace stator;
using namespace stator::log;

constexpr std::int64_t begun_unix_ms = 1'700'000'000'000;

Budgets small() {
    Budgets budgets;
    for (Budget* budget : {&budgets.waveform, &budgets.telemetry, &budgets.alarm, &budgets.control})
        *budget = {65536, 16384, false};
    return budgets;
}

struct World {
    disk::SimulatedDisk disk;
    clock::VirtualClock clock{begun_unix_ms};
    std::unique_ptr<Writer> writer;

    World() {
        auto opened = Writer::open(disk, clock, "/log", small());
        if (!opened) std::abort();
        writer = std::move(*opened);
        for (int i = 0; i < 40; ++i) {
            clock.wait_us(1'000'000);
            RecordView record;
            record.receive_unix_ms = clock.unix_ms();
            record.sender = "pump";
            record.payload = "a payload that is long enough to lie in";
            if (!writer->append(Class::telemetry, record)) std::abort();
        }
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static World world;
    if (size < 2) return 0;
    std::vector<std::byte> bytes(size - 2);
    if (!bytes.empty()) std::memcpy(bytes.data(), data + 2, bytes.size());
    if (data[0] % 2 != 0) {
        for (std::size_t at = 0; at + index_entry_bytes <= bytes.size(); at += index_entry_bytes) {
            const auto* entry = data + 2 + at;
            std::uint16_t position = 0;
            std::uint16_t second = 0;
            std::memcpy(&position, entry, 2);
            std::memcpy(&second, entry + 2, 2);
            encode(
                IndexEntry{position, begun_unix_ms + 10 * second, entry[4] % 2U},
                std::span{bytes}.subspan(at, index_entry_bytes)
            );
        }
    }
    const std::string path = "/log/telemetry/" + segment_name(0);
    const std::string index = path.substr(0, path.size() - 4) + ".index";
    auto file = world.disk.open(index, disk::Mode::create);
    if (!file || !(*file)->truncate(0) || !(*file)->write_at(0, bytes) || !(*file)->sync())
        std::abort();
    auto reader = Reader::open(world.disk, "/log", Class::telemetry, {});
    const std::int64_t second = 1 + data[1] % 40;
    const std::int64_t wanted = begun_unix_ms + 1000 * second - 500;
    if (!reader || !(*reader)->seek_time(wanted)) std::abort();
    const auto item = (*reader)->next();
    if (!item || !*item) std::abort();
    const std::int64_t got = (*item)->record.receive_unix_ms;
    // An entry that is true of a later record is only there when somebody forged time itself.
    if (got != wanted + 500) std::abort();
    if (!verify(world.disk, "/log")) std::abort();
    return 0;
}
