// What one message costs inside the gate, without a broker: where bench/run broker's figure comes
// from.
//   gate_bench [DIRECTORY] [MESSAGES_A_MS] [SECONDS]
// 20 senders publish readings in bursts of MESSAGES_A_MS a millisecond, with a tick after each as
// Mosquitto gives it. Prints CPU a message of the thread that publishes (in the bursts only) and of
// the one that syncs; first with a storage that keeps nothing, then with the log.
#include "reading.h"
#include "transport/gate/gate.h"
#include "transport/gate/log_storage.h"
#include "transport/gate/plugin/helper.h"
#include "world/clock/real.h"
#include "world/disk/posix.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <ctime>
#include <filesystem>

namespace {

using namespace stator;

constexpr int senders = 20;
constexpr std::string_view topic = "shaded-pole-motor-sensor_data";

[[noreturn]] void give_up(const std::string& why) {
    fmt::print(stderr, "gate_bench: {}\n", why);
    std::exit(1);
}

double cpu_s(clockid_t clock) {
    timespec used{};
    clock_gettime(clock, &used);
    return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

class Silent final : public journal::Journal {
    void say(journal::Level, std::string_view, std::string_view text) override {
        fmt::print(stderr, "{}\n", text);
    }
};

class NoBroker final : public mqtt::Broker {
    void publish_to(const std::string&, const std::string&, const std::string&, int) override {}

    void kick(const std::string&) override {}
};

class NoStorage final : public gate::Storage {
    Outcome<void> append(log::Class, const log::RecordView&, const gate::Mark*) override {
        return {};
    }

    void begin_sync() override {}

    gate::Sync poll_sync() override { return gate::Sync::running; }

    std::vector<gate::Mark> marks() override { return {}; }

    double fill(log::Class) override { return 0.0; }

    void maintain() override {}
};

void measure(
    const std::string& what,
    gate::Storage& storage,
    disk::Disk& disk,
    const std::string& root,
    long a_ms,
    long seconds
) {
    clock::RealClock clock;
    Silent journal;
    NoBroker broker;
    devices::RightsReader rights{disk, devices::rights_path(root)};
    gate::Options options;
    options.rate_per_s = options.burst = 1e8;
    gate::Gate gate{storage, rights, clock, journal, options};
    for (int i = 1; i <= senders; ++i) {
        mqtt::Peer peer;
        peer.handle = static_cast<std::uint64_t>(i) * 0x1230;
        peer.client_id = fmt::format("load-{}", i);
        peer.uri = "urn:stator:sensor:" + peer.client_id;
        if (!gate.connect(peer)) give_up("a sender was not let in");
        if (gate.subscribe(peer.handle, gate::Options{}.topics.stored_of(peer.client_id).view()) !=
            mqtt::Verdict::accept)
            give_up("no marks");
    }
    std::vector<std::string> burst(static_cast<std::size_t>(a_ms));
    double own_s = 0;
    long count = 0;
    const double process_before_s = cpu_s(CLOCK_PROCESS_CPUTIME_ID);
    const double thread_before_s = cpu_s(CLOCK_THREAD_CPUTIME_ID);
    for (std::int64_t next_us = clock.monotonic_us(), end_us = next_us + seconds * 1'000'000;
         next_us < end_us;
         next_us += 1000) {
        for (long i = 0; i < a_ms; ++i)
            burst[static_cast<std::size_t>(i)] = bench::reading(
                fmt::format("load-{}", (count + i) % senders + 1), 1, (count + i) / senders + 1
            );
        const double begun_s = cpu_s(CLOCK_THREAD_CPUTIME_ID);
        for (const std::string& text : burst) {
            const auto handle = static_cast<std::uint64_t>(count++ % senders + 1) * 0x1230;
            if (gate.publish({handle, topic, text, 1, false}) != mqtt::Verdict::accept)
                give_up("a reading was refused");
            gate.tick(broker);
        }
        own_s += cpu_s(CLOCK_THREAD_CPUTIME_ID) - begun_s;
        clock.wait_us(next_us + 1000 - clock.monotonic_us());
    }
    const double others_s = cpu_s(CLOCK_PROCESS_CPUTIME_ID) - process_before_s -
                            (cpu_s(CLOCK_THREAD_CPUTIME_ID) - thread_before_s);
    const auto n = static_cast<double>(count);
    fmt::print(
        "{:<12} {:>8} messages {:>6.2f} us each, {:>5.2f} us of the sync's, {} syncs\n",
        what,
        count,
        own_s / n * 1e6,
        others_s / n * 1e6,
        gate.counts().syncs
    );
}

long number(int argc, char** argv, int at, long otherwise) {
    if (argc > at) std::from_chars(argv[at], argv[at] + std::strlen(argv[at]), otherwise);
    return otherwise;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string root =
        std::filesystem::absolute(argc > 1 ? argv[1] : ".").string() + "/gate_bench.tmp";
    const long a_ms = number(argc, argv, 2, 20), seconds = number(argc, argv, 3, 3);
    std::filesystem::remove_all(root);
    disk::PosixDisk disk;
    clock::RealClock clock;
    Silent journal;
    devices::Rights rights;
    for (int i = 1; i <= senders; ++i)
        rights.devices.push_back({fmt::format("load-{}", i), "sensor", devices::State::active, {}});
    const std::string path = devices::rights_path(root);
    if (!disk.make_directories(path.substr(0, path.rfind('/')))) give_up("no directory");
    if (const auto saved = devices::save_rights(disk, path, rights); !saved)
        give_up(saved.error().what);
    NoStorage nothing;
    measure("no storage", nothing, disk, root, a_ms, seconds);
    gate::Helper helper{std::chrono::milliseconds{25}};
    log::Budgets budgets;
    budgets.telemetry = {std::uint64_t{4} << 30U, 32U << 20U, false, 256U << 10U};
    gate::Helper retirements;
    auto storage =
        gate::LogStorage::open(disk, clock, journal, {helper, retirements}, root + "/log", budgets);
    if (!storage) give_up(storage.error().what);
    measure("log", **storage, disk, root, a_ms, seconds);
    while (!retirements.done() || !helper.done())
        std::this_thread::yield();
    std::ignore = (*storage)->poll_sync();
    storage->reset();
    std::filesystem::remove_all(root);
    return 0;
}
