// Readers in other processes: woken by the writer, killed at work, and missing nothing.
#include "store/log/reader.h"
#include "store/log/writer.h"
#include "world/clock/real.h"
#include "world/disk/posix.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <functional>
#include <random>

namespace stator::log {
namespace {

constexpr std::int64_t ten_minutes_us = 600'000'000;
constexpr std::uint64_t committed_bit = 1ULL << 63U;  // a line of the output that is no record

struct Shared {
    std::atomic<std::uint64_t> appended{0};
    std::atomic<std::uint64_t> seen{0};
    std::atomic<bool> stop{false};
};

class LogReaders : public testing::Test {
  public:
    LogReaders()
        : root{(std::filesystem::temp_directory_path() / fmt::format("stator-readers-{}", getpid()))
                   .string()} {
        std::filesystem::remove_all(root);
        void* const memory =
            mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        shared = new (memory) Shared;
    }

    ~LogReaders() override {
        for (const pid_t child : children)
            end(child);
        munmap(static_cast<void*>(shared), 4096);
        std::filesystem::remove_all(root);
    }

    pid_t start(const std::function<int()>& work) {
        const pid_t child = fork();
        if (child == 0) _exit(work());
        children.push_back(child);
        return child;
    }

    int end(pid_t child, int signal = SIGKILL) {
        int status = 0;
        kill(child, signal);
        waitpid(child, &status, 0);
        std::erase(children, child);
        return status;
    }

    // A bound, not a time that is asserted: only a hang comes to it.
    bool becomes(const std::function<bool()>& done) {
        for (int i = 0; i < 120'000 && !done(); ++i)
            clock.wait_us(1000);
        return done();
    }

    // Numbers its records; `pace` says after how many it syncs and looks at the readers.
    int write(std::uint64_t pace) {
        auto writer = Writer::open(disk, clock, root, Budgets{});
        if (!writer) return 1;
        std::uint64_t i = 0;
        while (!shared->stop.load()) {
            const std::string payload = fmt::format("{}", i);
            RecordView record;
            record.receive_unix_ms = clock.unix_ms();
            record.sender = "pump";
            record.payload = payload;
            if (!(*writer)->append(Class::telemetry, record, Mark{1, i + 1})) return 2;
            shared->appended.store(++i);
            if (i % pace != 0) continue;
            if (!(*writer)->sync() || !(*writer)->retire()) return 3;
            clock.wait_us(500);
        }
        return (*writer)->sync() ? 0 : 4;
    }

    // Writes down each record's number, then commits, then writes down what is durable. It never
    // looks by itself: the writer wakes it.
    int read(const std::string& output, std::size_t at_once) {
        auto file = disk.open(output, disk::Mode::create);
        if (!file) return 1;
        std::uint64_t at = (*file)->size().value_or(0);
        const auto write_down = [&](std::uint64_t number) {
            const auto done = (*file)->write_at(at, std::as_bytes(std::span{&number, 1}));
            at += sizeof(number);
            return done.has_value();
        };
        auto reader = Reader::open(disk, root, Class::telemetry, {"worker", true, false});
        if (!reader) return 2;
        std::deque<std::pair<Offset, std::uint64_t>> uncommitted;
        for (;;) {
            const auto records = (*reader)->take(at_once);
            if (!records) return 3;
            for (const Record& record : *records) {
                const std::uint64_t number = std::stoull(record.payload);
                if (!write_down(number)) return 4;
                uncommitted.emplace_back(record.next, number);
                shared->seen.store(number + 1);
            }
            if (!records->empty() && !(*reader)->commit(records->back().next)) return 5;
            std::optional<std::uint64_t> durable;
            while (!uncommitted.empty() && uncommitted.front().first <= (*reader)->committed()) {
                durable = uncommitted.front().second;
                uncommitted.pop_front();
            }
            if (durable && !write_down(*durable | committed_bit)) return 6;
            if (records->empty()) (*reader)->wait(ten_minutes_us);
        }
    }

    std::string root;
    disk::PosixDisk disk;
    clock::RealClock clock;
    Shared* shared = nullptr;
    std::vector<pid_t> children;
};

TEST_F(LogReaders, AnAppendWakesAReaderThatSleepsInAnotherProcess) {
    // The reader is there first: it sleeps until there is a writer at all.
    const pid_t reader = start([&] {
        auto opened = Reader::open(disk, root, Class::telemetry, {});
        if (!opened) return 1;
        for (;;) {
            const auto records = (*opened)->take(10);
            if (!records) return 2;
            shared->seen.fetch_add(records->size());
            if (records->empty()) (*opened)->wait(ten_minutes_us);
        }
    });
    auto writer = Writer::open(disk, clock, root, Budgets{});
    ASSERT_TRUE(writer);
    RecordView record;
    record.sender = "pump";
    record.payload = "x";
    for (std::uint64_t i = 1; i <= 200; ++i) {
        ASSERT_TRUE((*writer)->append(Class::telemetry, record));
        ASSERT_TRUE(becomes([&] { return shared->seen.load() == i; }))
            << "append " << i << " woke nobody";
    }
    ASSERT_TRUE(WIFSIGNALED(end(reader)));
}

TEST_F(LogReaders, AReaderKilledAtWorkMissesNothingAndRepeatsOnlyWhatItHadNotCommitted) {
    const int rounds = std::getenv("STATOR_LONG") != nullptr ? 50 : 3;
    const std::string output = root + ".seen";
    std::filesystem::remove(output);
    std::mt19937_64 random{1};
    const pid_t writer = start([&] { return write(40); });
    for (int round = 0; round < rounds; ++round) {
        SCOPED_TRACE(fmt::format("round {}", round));
        const std::size_t at_once = 1 + random() % 100;
        const std::uint64_t until = shared->seen.load() + 100 + random() % 900;
        const pid_t reader = start([&] { return read(output, at_once); });
        ASSERT_TRUE(becomes([&] { return shared->seen.load() >= until; }));
        const int status = end(reader);
        ASSERT_TRUE(WIFSIGNALED(status)) << "the reader left by itself: " << status;
    }
    shared->stop.store(true);
    int status = 0;
    waitpid(writer, &status, 0);
    std::erase(children, writer);
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
    const std::uint64_t appended = shared->appended.load();
    const pid_t last = start([&] { return read(output, 100); });
    ASSERT_TRUE(becomes([&] { return shared->seen.load() == appended; }));
    end(last);

    const auto text = disk.read_all(output, 1U << 30U);
    ASSERT_TRUE(text);
    std::vector<std::uint64_t> lines(text->size() / sizeof(std::uint64_t));
    std::memcpy(lines.data(), text->data(), lines.size() * sizeof(std::uint64_t));
    std::uint64_t next = 0;       // that was not seen yet
    std::uint64_t previous = 0;   // one after the line before
    std::uint64_t committed = 0;  // records below are durably done
    std::uint64_t again = 0;
    for (const std::uint64_t line : lines) {
        if ((line & committed_bit) != 0) {
            committed = std::max(committed, (line & ~committed_bit) + 1);
            continue;
        }
        ASSERT_LE(line, next) << "records " << next << " to " << line << " were passed over";
        ASSERT_TRUE(line == previous || line >= committed)
            << line << " came again, though it was committed up to " << committed;
        if (line != previous) {
            ASSERT_LT(line, previous) << "out of order";
        }
        if (line < next) ++again;
        previous = line + 1;
        next = std::max(next, previous);
    }
    EXPECT_EQ(next, appended);
    EXPECT_GT(committed, 0U) << "or nothing was held against what was committed";
    fmt::print(
        "{} kills of a reader: {} records, 0 missing, {} given twice, none of them committed\n",
        rounds,
        appended,
        again
    );
    std::filesystem::remove(output);
}

}  // namespace
}  // namespace stator::log
