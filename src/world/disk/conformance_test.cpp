// One suite for every Disk: what is built on the simulated one holds on the machine's.
#include "world/disk/posix.h"
#include "world/disk/simulated.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>

namespace stator::disk {
namespace {

std::span<const std::byte> bytes(std::string_view text) {
    return std::as_bytes(std::span{text});
}

class Simulated {
  public:
    SimulatedDisk disk{7};
    std::string root = "/a/place";
};

class Posix {
  public:
    Posix()
        : root{std::filesystem::temp_directory_path() / fmt::format("stator-disk-{}", getpid())} {
        std::filesystem::remove_all(root);
    }

    Posix(const Posix&) = delete;
    Posix& operator=(const Posix&) = delete;
    Posix(Posix&&) = delete;
    Posix& operator=(Posix&&) = delete;

    ~Posix() { std::filesystem::remove_all(root); }

    PosixDisk disk;
    std::string root;
};

template <typename World>
class DiskConformance : public testing::Test {
  public:
    World world;
    Disk& disk = world.disk;

    DiskConformance() { EXPECT_TRUE(disk.make_directories(world.root)); }

    std::string at(std::string_view name) { return world.root + "/" + std::string{name}; }

    std::unique_ptr<File> file(std::string_view name, Mode mode = Mode::create) {
        auto opened = disk.open(at(name), mode);
        EXPECT_TRUE(opened) << opened.error().what;
        return std::move(*opened);
    }

    std::string content(File& file, std::uint64_t from = 0, std::size_t most = 1000) {
        std::string text(most, '?');
        const auto read = file.read_at(from, std::as_writable_bytes(std::span{text}));
        EXPECT_TRUE(read) << read.error().what;
        text.resize(read.value_or(0));
        return text;
    }

    std::string content(std::string_view name) { return content(*file(name, Mode::read)); }

    void make(std::string_view name, std::string_view text) {
        EXPECT_TRUE(file(name)->write_at(0, bytes(text)));
    }

    std::vector<std::string> names() {
        std::vector<std::string> all;
        const auto entries = disk.list(world.root);
        EXPECT_TRUE(entries);
        for (const Entry& entry : *entries)
            all.push_back(
                fmt::format("{}{} {}", entry.name, entry.is_directory ? "/" : "", entry.size_bytes)
            );
        return all;
    }
};

template <typename T>
testing::AssertionResult faults(
    const Outcome<T>& done, base::Fault fault, const std::string& path
) {
    if (done) return testing::AssertionFailure() << "was done";
    if (done.error().fault != fault)
        return testing::AssertionFailure()
               << base::name_of(done.error().fault) << ": " << done.error().what;
    if (done.error().what.find(path) == std::string::npos)
        return testing::AssertionFailure() << "does not name " << path << ": " << done.error().what;
    return testing::AssertionSuccess();
}

using Worlds = testing::Types<Simulated, Posix>;
TYPED_TEST_SUITE(DiskConformance, Worlds);

TYPED_TEST(DiskConformance, GivesBackWhatWasWrittenAndZerosForHoles) {
    const auto f = this->file("a");
    EXPECT_EQ(this->content(*f), "");
    ASSERT_TRUE(f->write_at(0, bytes("hello")));
    ASSERT_TRUE(f->write_at(8, bytes("you")));
    ASSERT_TRUE(f->write_at(1, bytes("E")));
    EXPECT_EQ(this->content(*f), (std::string{"hEllo\0\0\0you", 11}));
    EXPECT_EQ(*f->size(), 11U);
    ASSERT_TRUE(f->sync());
}

TYPED_TEST(DiskConformance, ReadsFewerBytesOnlyAtTheEnd) {
    this->make("a", "0123456789");
    const auto f = this->file("a", Mode::read);
    EXPECT_EQ(this->content(*f, 0, 4), "0123");
    EXPECT_EQ(this->content(*f, 7, 10), "789");
    EXPECT_EQ(this->content(*f, 10, 10), "");
    EXPECT_EQ(this->content(*f, 1000, 10), "");
}

TYPED_TEST(DiskConformance, AnEmptyWriteChangesNothing) {
    const auto f = this->file("a");
    ASSERT_TRUE(f->write_at(0, bytes("abc")));
    ASSERT_TRUE(f->write_at(0, {}));
    EXPECT_EQ(this->content(*f), "abc");
}

TYPED_TEST(DiskConformance, TwoHandlesSeeOneFile) {
    const auto one = this->file("a");
    const auto two = this->file("a", Mode::write);
    const auto three = this->file("a", Mode::read);
    ASSERT_TRUE(one->write_at(0, bytes("one")));
    ASSERT_TRUE(two->write_at(3, bytes("two")));
    EXPECT_EQ(this->content(*three), "onetwo");
    EXPECT_EQ(*one->size(), 6U);
}

TYPED_TEST(DiskConformance, OpeningKeepsTheContent) {
    this->make("a", "abc");
    (void)this->file("a");
    (void)this->file("a", Mode::write);
    EXPECT_EQ(this->content("a"), "abc");
}

TYPED_TEST(DiskConformance, TruncatesAndMakesLonger) {
    const auto f = this->file("a");
    ASSERT_TRUE(f->write_at(0, bytes("abcdef")));
    ASSERT_TRUE(f->truncate(3));
    EXPECT_EQ(this->content(*f), "abc");
    ASSERT_TRUE(f->truncate(5));
    EXPECT_EQ(this->content(*f), (std::string{"abc\0\0", 5}));
    ASSERT_TRUE(f->truncate(0));
    EXPECT_EQ(*f->size(), 0U);
}

TYPED_TEST(DiskConformance, ReservedSpaceIsZerosAndKeepsWhatIsThere) {
    const auto f = this->file("a");
    ASSERT_TRUE(f->write_at(0, bytes("abc")));
    ASSERT_TRUE(f->preallocate(8192));
    EXPECT_EQ(*f->size(), 8192U);
    EXPECT_EQ(this->content(*f, 0, 5), (std::string{"abc\0\0", 5}));
    ASSERT_TRUE(f->write_at(4000, bytes("x")));
    ASSERT_TRUE(f->preallocate(100));
    EXPECT_EQ(*f->size(), 8192U);
    EXPECT_EQ(this->content(*f, 4000, 1), "x");
}

TYPED_TEST(DiskConformance, ReservingLeavesTheSizeAndWhatIsThere) {
    const auto f = this->file("a");
    ASSERT_TRUE(f->write_at(0, bytes("abc")));
    ASSERT_TRUE(f->reserve(8192));
    EXPECT_EQ(*f->size(), 3U);
    ASSERT_TRUE(f->write_at(3, bytes("def")));
    EXPECT_EQ(this->content(*f), "abcdef");
    ASSERT_TRUE(f->sync());
}

TYPED_TEST(DiskConformance, WhatIsStoredInMappedMemoryIsInTheFile) {
    {
        const auto f = this->file("a");
        ASSERT_TRUE(f->write_at(0, bytes("abc")));
        const auto memory = f->map(8192);
        ASSERT_TRUE(memory) << memory.error().what;
        ASSERT_EQ(memory->size(), 8192U);
        EXPECT_EQ(*f->size(), 8192U);
        EXPECT_EQ((*memory)[2], std::byte{'c'});
        EXPECT_EQ((*memory)[8191], std::byte{0});
        (*memory)[1] = std::byte{'B'};
        (*memory)[8191] = std::byte{'Z'};
        EXPECT_EQ(this->content(*f, 0, 3), "aBc");
        // Who opens it sees it, and what is written is seen in the memory.
        const auto other = this->file("a", Mode::write);
        EXPECT_EQ(this->content(*other, 8190), (std::string{"\0Z", 2}));
        ASSERT_TRUE(other->write_at(0, bytes("A")));
        EXPECT_EQ((*memory)[0], std::byte{'A'});
        ASSERT_TRUE(f->sync());
        (*memory)[2] = std::byte{'C'};
    }
    // Nobody has said sync(): a killed process cannot.
    EXPECT_EQ(this->content(*this->file("a"), 0, 3), "ABC");
    const auto again = this->file("a");
    const auto memory = again->map(4096);
    ASSERT_TRUE(memory);
    EXPECT_EQ((*memory)[2], std::byte{'C'});
    EXPECT_EQ(*again->size(), 8192U);
}

TYPED_TEST(DiskConformance, WhatIsMissingIsNotFoundAndNamed) {
    const std::string path = this->at("no");
    EXPECT_TRUE(faults(this->disk.open(path, Mode::read), base::Fault::not_found, path));
    EXPECT_TRUE(faults(this->disk.open(path, Mode::write), base::Fault::not_found, path));
    const std::string deep = this->at("no/such/file");
    EXPECT_TRUE(faults(this->disk.open(deep, Mode::create), base::Fault::not_found, deep));
    EXPECT_TRUE(faults(this->disk.list(path), base::Fault::not_found, path));
    EXPECT_TRUE(faults(this->disk.remove(path), base::Fault::not_found, path));
    EXPECT_TRUE(faults(this->disk.rename(path, this->at("b")), base::Fault::not_found, path));
    EXPECT_TRUE(faults(this->disk.sync_directory(path), base::Fault::not_found, path));
    EXPECT_TRUE(faults(this->disk.restrict(path, 0600), base::Fault::not_found, path));
    EXPECT_TRUE(faults(this->disk.map(path, 8, false), base::Fault::not_found, path));
    EXPECT_TRUE(faults(this->disk.map(deep, 8, true), base::Fault::not_found, deep));
    EXPECT_TRUE(faults(this->disk.lock(deep), base::Fault::not_found, deep));
    EXPECT_TRUE(faults(this->disk.read_all(path, 10), base::Fault::not_found, path));
    EXPECT_FALSE(this->disk.exists(path));
    EXPECT_EQ(this->names(), std::vector<std::string>{});
}

TYPED_TEST(DiskConformance, AFileOpenedForReadingIsNotWritten) {
    this->make("a", "abc");
    const auto f = this->file("a", Mode::read);
    EXPECT_TRUE(faults(f->write_at(0, bytes("x")), base::Fault::denied, this->at("a")));
    EXPECT_TRUE(faults(f->truncate(0), base::Fault::denied, this->at("a")));
    EXPECT_TRUE(faults(f->preallocate(100), base::Fault::denied, this->at("a")));
    EXPECT_TRUE(faults(f->reserve(100), base::Fault::denied, this->at("a")));
    EXPECT_TRUE(faults(f->map(100), base::Fault::denied, this->at("a")));
    EXPECT_EQ(this->content("a"), "abc");
}

TYPED_TEST(DiskConformance, ListsByNameWithSizes) {
    this->make("b", "12");
    this->make("a", "1");
    ASSERT_TRUE(this->disk.make_directories(this->at("c/d")));
    EXPECT_EQ(this->names(), (std::vector<std::string>{"a 1", "b 2", "c/ 0"}));
    EXPECT_TRUE(this->disk.exists(this->at("c/d")));
    EXPECT_TRUE(this->disk.exists(this->at("a")));
    EXPECT_TRUE(faults(this->disk.list(this->at("a")), base::Fault::not_found, this->at("a")));
}

TYPED_TEST(DiskConformance, MakingDirectoriesAgainIsNoFaultButOverAFileIs) {
    ASSERT_TRUE(this->disk.make_directories(this->at("c/d")));
    ASSERT_TRUE(this->disk.make_directories(this->at("c/d")));
    this->make("f", "1");
    EXPECT_TRUE(
        faults(this->disk.make_directories(this->at("f")), base::Fault::exists, this->at("f"))
    );
    EXPECT_TRUE(
        faults(this->disk.make_directories(this->at("f/g")), base::Fault::exists, this->at("f"))
    );
}

TYPED_TEST(DiskConformance, RenamingReplacesAndOpenFilesStay) {
    this->make("old", "old");
    this->make("new", "new");
    const auto old = this->file("old", Mode::write);
    const auto fresh = this->file("new", Mode::read);
    ASSERT_TRUE(this->disk.rename(this->at("old"), this->at("new")));
    EXPECT_EQ(this->names(), (std::vector<std::string>{"new 3"}));
    EXPECT_EQ(this->content("new"), "old");
    EXPECT_EQ(this->content(*fresh), "new");
    ASSERT_TRUE(old->write_at(3, bytes("er")));
    EXPECT_EQ(this->content("new"), "older");
    EXPECT_TRUE(faults(
        this->disk.rename(this->at("new"), this->at("no/where")),
        base::Fault::not_found,
        this->at("no/where")
    ));
    EXPECT_EQ(this->content("new"), "older");
}

TYPED_TEST(DiskConformance, ARemovedFileStaysWithWhoHasItOpen) {
    this->make("a", "abc");
    const auto f = this->file("a", Mode::write);
    ASSERT_TRUE(this->disk.remove(this->at("a")));
    EXPECT_FALSE(this->disk.exists(this->at("a")));
    ASSERT_TRUE(f->write_at(3, bytes("d")));
    EXPECT_EQ(this->content(*f), "abcd");
    this->make("a", "new");
    EXPECT_EQ(this->content(*f), "abcd");
    EXPECT_EQ(this->content("a"), "new");
}

TYPED_TEST(DiskConformance, ReplacingGivesTheWholeNewContent) {
    ASSERT_TRUE(this->disk.replace(this->at("a"), "first"));
    const auto before = this->file("a", Mode::read);
    // What a killed process left behind does not stand in the way.
    this->make("a.new", "a rest that is longer than the content");
    ASSERT_TRUE(this->disk.replace(this->at("a"), "second", 0600));
    EXPECT_EQ(this->content(*before), "first");
    EXPECT_EQ(*this->disk.read_all(this->at("a"), 6), "second");
    EXPECT_EQ(this->names(), (std::vector<std::string>{"a 6"}));
    EXPECT_TRUE(faults(this->disk.read_all(this->at("a"), 5), base::Fault::full, this->at("a")));
}

TYPED_TEST(DiskConformance, OneHoldsALockUntilItLetsGo) {
    auto held = this->disk.lock(this->at("lock"));
    ASSERT_TRUE(held) << held.error().what;
    EXPECT_TRUE(faults(this->disk.lock(this->at("lock")), base::Fault::again, this->at("lock")));
    EXPECT_TRUE(this->disk.lock(this->at("other")));
    held->reset();
    EXPECT_TRUE(this->disk.lock(this->at("lock")));
}

TYPED_TEST(DiskConformance, WordsAreSharedByAllWhoMapThem) {
    auto writer = this->disk.map(this->at("words"), 8, true);
    ASSERT_TRUE(writer) << writer.error().what;
    auto reader = this->disk.map(this->at("words"), 8, false);
    ASSERT_TRUE(reader) << reader.error().what;
    for (std::size_t i = 0; i < 8; ++i)
        EXPECT_EQ((*reader)->load(i), 0U);
    (*writer)->store(0, 1);
    (*writer)->store(7, 0xFFFFFFFFFFFFFFFF);
    EXPECT_EQ((*reader)->load(0), 1U);
    EXPECT_EQ((*reader)->load(7), 0xFFFFFFFFFFFFFFFF);
    // Whoever comes later sees them, and may ask for more of them.
    writer->reset();
    auto again = this->disk.map(this->at("words"), 16, true);
    ASSERT_TRUE(again);
    EXPECT_EQ((*again)->load(7), 0xFFFFFFFFFFFFFFFF);
    EXPECT_EQ((*again)->load(15), 0U);
    // A word that differs already is not waited for.
    (*reader)->wait(0, 0, 60'000'000);
    (*reader)->wait(0, 1, 1);
}

TYPED_TEST(DiskConformance, TellsHowMuchIsFree) {
    const auto free = this->disk.free_bytes(this->world.root);
    ASSERT_TRUE(free) << free.error().what;
    EXPECT_GT(*free, 0U);
    ASSERT_TRUE(this->disk.sync_directory(this->world.root));
    this->make("a", "1");
    ASSERT_TRUE(this->disk.restrict(this->at("a"), 0600));
}

// A sleeping reader in another process is woken by the store, not by its time-out.
TEST(PosixWords, AStoreWakesAnotherProcess) {
    Posix world;
    ASSERT_TRUE(world.disk.make_directories(world.root));
    const std::string path = world.root + "/words";
    auto words = world.disk.map(path, 2, true);
    ASSERT_TRUE(words);
    for (std::uint64_t round = 1; round <= 50; ++round) {
        const pid_t child = fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            auto mine = world.disk.map(path, 2, true);
            if (!mine) _exit(1);
            (*mine)->store(1, round);  // "I go to sleep now"
            // One call, whose time-out is far beyond what this test may take.
            while ((*mine)->load(0) != round)
                (*mine)->wait(0, round - 1, 600'000'000);
            _exit(0);
        }
        while ((*words)->load(1) != round)
            (*words)->wait(1, round - 1, 100'000);
        (*words)->store(0, round);
        int status = 0;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

TEST(PosixLockTest, TheKernelLetsGoOfAKilledProcesssLock) {
    Posix world;
    ASSERT_TRUE(world.disk.make_directories(world.root));
    auto words = world.disk.map(world.root + "/words", 1, true);
    ASSERT_TRUE(words);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        const auto held = world.disk.lock(world.root + "/lock");
        (*words)->store(0, held ? 1 : 2);
        for (;;)
            pause();
    }
    (*words)->wait(0, 0, 60'000'000);
    EXPECT_EQ((*words)->load(0), 1U);
    EXPECT_FALSE(world.disk.lock(world.root + "/lock"));
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_TRUE(world.disk.lock(world.root + "/lock"));
}

}  // namespace
}  // namespace stator::disk
