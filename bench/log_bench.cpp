// How fast the log takes and gives records, on this machine's disk. usage: log_bench [DIRECTORY]
//
// Appends as the gate does (telemetry gathered, or one write a record; a sync on another thread
// each 25 ms), appends with a sync after each record, catching up from the first record, and the
// time from an append to a reader in another process that slept. Beside each: what the bare system
// calls need.
#include "store/log/reader.h"
#include "store/log/writer.h"
#include "world/clock/real.h"
#include "world/disk/posix.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <future>
#include <thread>

namespace {

using namespace stator;

constexpr std::int64_t syncs_apart_us = 25'000;  // as the gate
constexpr std::uint64_t records = 1'000'000;
constexpr std::uint64_t synced_records = 300;
constexpr int wakes = 2000;

[[noreturn]] void give_up(const std::string& why) {
    fmt::print(stderr, "log_bench: {}\n", why);
    std::exit(1);
}

double cpu_s() {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

class Stopwatch {
  public:
    explicit Stopwatch(clock::Clock& clock)
        : clock_{clock}, begun_us_{clock.monotonic_us()}, begun_cpu_s_{cpu_s()} {}

    void tell(const std::string& what, std::uint64_t count, std::uint64_t bytes) const {
        const double wall_s = static_cast<double>(clock_.monotonic_us() - begun_us_) / 1e6;
        const double cpu = cpu_s() - begun_cpu_s_;
        const auto n = static_cast<double>(count);
        fmt::print(
            "{:<52} {:>9.0f} records/s {:>7.1f} MB/s {:>7.2f} us CPU a record\n",
            what,
            n / wall_s,
            static_cast<double>(bytes) / wall_s / 1e6,
            cpu / n * 1e6
        );
    }

  private:
    clock::Clock& clock_;
    std::int64_t begun_us_;
    double begun_cpu_s_;
};

log::RecordView reading(const std::string& payload, clock::Clock& clock) {
    log::RecordView record;
    record.receive_unix_ms = clock.unix_ms();
    record.topic = "shaded-pole-motor-sensor_data";
    record.sender = "14333616";
    record.payload = payload;
    return record;
}

log::Budgets roomy(std::uint64_t gathered_bytes = 0) {
    log::Budgets budgets;
    budgets.telemetry = {2048U << 20U, 32U << 20U, false, gathered_bytes};
    return budgets;
}

// The gate's way: appends go on while a sync runs elsewhere.
std::uint64_t append_all(log::Writer& writer, disk::Disk& disk, clock::Clock& clock) {
    const std::string payload(300, 'x');
    std::optional<log::SyncPlan> plan;
    std::future<Outcome<void>> running;
    std::uint64_t syncs = 0;
    std::int64_t next_us = 0;
    for (std::uint64_t i = 1; i <= records; ++i) {
        if (!writer.append(log::Class::telemetry, reading(payload, clock), log::Mark{1, i}))
            give_up("an append failed");
        if (running.valid() &&
            running.wait_for(std::chrono::seconds{0}) == std::future_status::ready) {
            if (!writer.finish_sync(*plan, running.get())) give_up("a sync failed");
            ++syncs;
        }
        if (const auto now_us = clock.monotonic_us(); !running.valid() && now_us >= next_us) {
            next_us = now_us + syncs_apart_us;
            plan = writer.begin_sync();
            running = std::async(std::launch::async, [&] { return plan->run(disk); });
        }
    }
    if (running.valid() && !writer.finish_sync(*plan, running.get())) give_up("a sync failed");
    if (!writer.sync()) give_up("the last sync failed");
    return syncs;
}

void bare_writes(disk::Disk& disk, clock::Clock& clock, const std::string& path) {
    auto file = disk.open(path, disk::Mode::create);
    if (!file) give_up(file.error().what);
    const std::vector<std::byte> bytes(392);
    const Stopwatch watch{clock};
    for (std::uint64_t i = 0; i < records; ++i)
        if (!(*file)->write_at(i * bytes.size(), bytes)) give_up("a write failed");
    watch.tell("bare pwrite of as many bytes, no sync", records, records * bytes.size());
    (void)(*file)->sync();
    const Stopwatch synced{clock};
    for (std::uint64_t i = 0; i < synced_records; ++i)
        if (!(*file)->write_at((records + i) * bytes.size(), bytes) || !(*file)->sync())
            give_up("a sync failed");
    synced.tell("bare pwrite and fdatasync each", synced_records, synced_records * bytes.size());
    (void)disk.remove(path);
}

void catch_up(disk::Disk& disk, clock::Clock& clock, const std::string& root, bool copies) {
    auto reader = log::Reader::open(disk, root, log::Class::telemetry, {});
    if (!reader) give_up(reader.error().what);
    const std::uint64_t bytes = (*reader)->lag_bytes();
    const Stopwatch watch{clock};
    std::uint64_t count = 0;
    while (count < records) {
        if (copies) {
            const auto got = (*reader)->take(1000);
            if (!got || got->empty()) give_up("the reader came to an early end");
            count += got->size();
        } else {
            const auto item = (*reader)->next();
            if (!item || !*item) give_up("the reader came to an early end");
            ++count;
        }
    }
    watch.tell(
        copies ? "catch-up, take(1000): with copies" : "catch-up, next(): without a copy",
        count,
        bytes
    );
}

struct Shared {
    std::atomic<std::int64_t> sent_us{0};
    std::atomic<std::int64_t> took_us{-1};
};

void wake(log::Writer& writer, disk::Disk& disk, clock::Clock& clock, const std::string& root) {
    void* const memory =
        mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    auto* const shared = new (memory) Shared;
    const pid_t child = fork();
    if (child == 0) {
        auto reader = log::Reader::open(disk, root, log::Class::alarm, {"", false, true});
        if (!reader) _exit(1);
        for (;;) {
            const auto item = (*reader)->next();
            if (!item) _exit(2);
            if (*item)
                shared->took_us.store(clock.monotonic_us() - shared->sent_us.load());
            else
                (*reader)->wait(600'000'000);
        }
    }
    clock.wait_us(200'000);
    std::vector<std::int64_t> took;
    const std::string payload(300, 'x');
    for (int i = 0; i < wakes; ++i) {
        shared->took_us.store(-1);
        shared->sent_us.store(clock.monotonic_us());
        if (!writer.append(log::Class::alarm, reading(payload, clock))) give_up("an append failed");
        while (shared->took_us.load() < 0)
            clock.wait_us(50);
        took.push_back(shared->took_us.load());
        if (i % 50 == 0 && !(writer.sync() && writer.retire())) give_up("a sync failed");
    }
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    std::ranges::sort(took);
    const auto at = [&](double share) {
        return took[static_cast<std::size_t>(share * static_cast<double>(took.size() - 1))];
    };
    fmt::print(
        "append to record in hand, in another process that slept: p50 {} us, p99 {} us, most {} "
        "us\n",
        at(0.5),
        at(0.99),
        took.back()
    );
}

}  // namespace

int main(int argc, char** argv) {
    const std::string root = std::string{argc > 1 ? argv[1] : "."} + "/log_bench.tmp";
    std::filesystem::remove_all(root);
    disk::PosixDisk disk;
    clock::RealClock clock;
    const std::string absolute = std::filesystem::absolute(root).string();
    {
        auto opened = log::Writer::open(disk, clock, absolute, roomy(256U << 10U));
        if (!opened) give_up(opened.error().what);
        const Stopwatch watch{clock};
        const std::uint64_t syncs = append_all(**opened, disk, clock);
        watch.tell(
            fmt::format("append, gathered, {} syncs beside", syncs),
            records,
            (*opened)->end(log::Class::telemetry).position
        );
    }
    std::filesystem::remove_all(root);
    {
        auto opened = log::Writer::open(disk, clock, absolute, roomy());
        if (!opened) give_up(opened.error().what);
        log::Writer& writer = **opened;
        bare_writes(disk, clock, absolute + "/bare");
        {
            const Stopwatch watch{clock};
            const std::uint64_t syncs = append_all(writer, disk, clock);
            watch.tell(
                fmt::format("append, {} syncs beside", syncs),
                records,
                writer.end(log::Class::telemetry).position
            );
        }
        for (const bool copies : {false, true})
            catch_up(disk, clock, absolute, copies);
        {
            const std::string payload(300, 'x');
            const std::uint64_t before = writer.end(log::Class::telemetry).position;
            const Stopwatch watch{clock};
            for (std::uint64_t i = 0; i < synced_records; ++i)
                if (!writer.append(
                        log::Class::telemetry, reading(payload, clock), log::Mark{2, i + 1}
                    ) ||
                    !writer.sync())
                    give_up("a sync failed");
            watch.tell(
                "append and sync each",
                synced_records,
                writer.end(log::Class::telemetry).position - before
            );
        }
        wake(writer, disk, clock, absolute);
    }
    const Stopwatch watch{clock};
    auto again = log::Writer::open(disk, clock, absolute, roomy());
    if (!again) give_up(again.error().what);
    watch.tell(
        "open again (reads the tail: records of it)",
        std::max<std::uint64_t>(1, (*again)->repair_report().records_kept),
        0
    );
    again->reset();
    std::filesystem::remove_all(root);
    return 0;
}
