// Whatever a gathering's file holds: a writer opens the log, what was in its segment is still there
// and in order, and the log goes on.
#include "store/log/gathering.h"
#include "store/log/reader.h"
#include "store/log/verify.h"
#include "store/log/writer.h"
#include "world/clock/virtual.h"
#include "world/disk/simulated.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

using namespace stator;
using namespace stator::log;

Budgets small() {
    Budgets budgets;
    for (Budget* budget : {&budgets.waveform, &budgets.telemetry, &budgets.alarm, &budgets.control})
        *budget = {16384, 4096, false};
    budgets.telemetry.gathered_bytes = 1024;
    return budgets;
}

bool append(Writer& writer, const std::string& payload) {
    RecordView record;
    record.sender = "pump";
    record.payload = payload;
    return writer.append(Class::telemetry, record).has_value();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2 || size > 4096) return 0;
    disk::SimulatedDisk disk;
    clock::VirtualClock clock{1'700'000'000'000};
    const std::string path = gathering_path("/log", Class::telemetry);
    std::string whole;
    {
        const auto writer = Writer::open(disk, clock, "/log", small());
        if (!writer || !append(**writer, "first") || !(*writer)->sync()) std::abort();
        // Records that no segment has: the bytes of the input change them, or stand for them.
        for (unsigned i = 0; i < data[0] % 4U; ++i)
            if (!append(**writer, "more")) std::abort();
        whole = *disk.read_all(path, 1U << 20U);
    }
    if (data[1] % 2 == 0) {
        for (std::size_t i = 2; i + 1 < size; i += 2)
            whole[data[i] % whole.size()] = static_cast<char>(data[i + 1]);
    } else {
        whole.replace(
            16,
            std::min(size - 2, whole.size() - 16),
            reinterpret_cast<const char*>(data) + 2,
            std::min(size - 2, whole.size() - 16)
        );
    }
    {
        const auto file = disk.open(path, disk::Mode::write);
        if (!file || !(*file)->write_at(0, std::as_bytes(std::span{whole}))) std::abort();
    }
    const auto writer = Writer::open(disk, clock, "/log", small());
    if (!writer || !append(**writer, "last") || !(*writer)->sync()) std::abort();
    if (!verify(disk, "/log")) std::abort();
    auto reader = Reader::open(disk, "/log", Class::telemetry, {});
    if (!reader) std::abort();
    const auto records = (*reader)->take(100);
    if (!records || records->size() < 2 || records->front().payload != "first" ||
        records->back().payload != "last")
        std::abort();
    return 0;
}
