// What only the simulated disk can do: power cuts, a full disk, a dying one.
#include "world/disk/simulated.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace stator::disk {
namespace {

std::span<const std::byte> bytes(std::string_view text) {
    return std::as_bytes(std::span{text});
}

std::string content(Disk& disk, const std::string& path) {
    return disk.read_all(path, 1U << 20U).value_or("(not there)");
}

// "a" is synced with its name; then come a second write, a new file, a rename and a removal.
void work(SimulatedDisk& disk) {
    ASSERT_TRUE(disk.make_directories("/d"));
    for (const char* path : {"/d/a", "/d/gone", "/d/old"}) {
        auto file = disk.open(path, Mode::create);
        ASSERT_TRUE(file);
        ASSERT_TRUE((*file)->write_at(0, bytes("synced")));
        ASSERT_TRUE((*file)->sync());
    }
    ASSERT_TRUE(disk.sync_directory("/d"));
    ASSERT_TRUE((*disk.open("/d/a", Mode::write))->write_at(0, bytes("WRITE")));
    ASSERT_TRUE((*disk.open("/d/b", Mode::create))->write_at(0, bytes("new")));
    ASSERT_TRUE(disk.rename("/d/old", "/d/new"));
    ASSERT_TRUE(disk.remove("/d/gone"));
}

TEST(SimulatedDisk, AfterTheWorstCutOnlyWhatWasSyncedIsThere) {
    SimulatedDisk disk;
    work(disk);
    disk.restart(Survival::none);
    EXPECT_EQ(content(disk, "/d/a"), "synced");
    EXPECT_EQ(content(disk, "/d/gone"), "synced");
    EXPECT_EQ(content(disk, "/d/old"), "synced");
    EXPECT_FALSE(disk.exists("/d/b"));
    EXPECT_FALSE(disk.exists("/d/new"));
}

TEST(SimulatedDisk, AfterTheKindestCutAllIsThere) {
    SimulatedDisk disk;
    work(disk);
    disk.restart(Survival::all);
    EXPECT_EQ(content(disk, "/d/a"), "WRITEd");
    EXPECT_EQ(content(disk, "/d/b"), "new");
    EXPECT_EQ(content(disk, "/d/new"), "synced");
    EXPECT_FALSE(disk.exists("/d/gone"));
    EXPECT_FALSE(disk.exists("/d/old"));
}

TEST(SimulatedDisk, ACutMixesOldAndNewPartsOfMappedMemory) {
    constexpr std::size_t size = 4096;
    const auto after = [](Survival survival) {
        SimulatedDisk disk;
        EXPECT_TRUE(disk.make_directories("/d"));
        auto file = disk.open("/d/a", Mode::create);
        const auto memory = (*file)->map(size);
        std::ranges::fill(*memory, std::byte{'o'});
        EXPECT_TRUE((*file)->sync());
        EXPECT_TRUE(disk.sync_directory("/d"));
        std::ranges::fill(*memory, std::byte{'n'});
        disk.restart(survival);
        (*memory)[0] = std::byte{'x'};  // a process of before the cut changes nothing any more
        return content(disk, "/d/a");
    };
    EXPECT_EQ(after(Survival::none), std::string(size, 'o'));
    EXPECT_EQ(after(Survival::all), std::string(size, 'n'));
    const std::string mixed = after(Survival::random);
    EXPECT_TRUE(mixed.contains('o') && mixed.contains('n') && !mixed.contains('x')) << mixed;
}

TEST(SimulatedDisk, ARandomCutTearsWritesAndTheSameSeedTearsThemAlike) {
    std::set<std::string> seen;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        std::string first;
        for (int i = 0; i < 2; ++i) {
            SimulatedDisk disk{seed};
            work(disk);
            disk.restart(Survival::random);
            std::string all;
            for (const char* path : {"/d/a", "/d/b", "/d/gone", "/d/new", "/d/old"})
                all += content(disk, path) + ";";
            if (i == 0)
                first = all;
            else
                EXPECT_EQ(all, first) << "seed " << seed;
            seen.insert(all);
            const std::string a = content(disk, "/d/a");
            EXPECT_TRUE(a.ends_with("d") && a.size() == 6) << a;
        }
    }
    EXPECT_GT(seen.size(), 50U);
}

TEST(SimulatedDisk, WithoutPowerEveryCallFailsAndOldHandlesStayDead) {
    SimulatedDisk disk;
    ASSERT_TRUE(disk.make_directories("/d"));
    auto file = disk.open("/d/a", Mode::create);
    auto lock = disk.lock("/d/lock");
    ASSERT_TRUE(file && lock);
    disk.cut_power_before(disk.operations() + 1);
    EXPECT_TRUE((*file)->write_at(0, bytes("one")));
    EXPECT_FALSE((*file)->write_at(3, bytes("two")));
    EXPECT_TRUE(disk.power_is_off());
    EXPECT_FALSE((*file)->sync());
    EXPECT_FALSE(disk.list("/d"));
    EXPECT_FALSE(disk.open("/d/a", Mode::read));
    EXPECT_FALSE(disk.rename("/d/a", "/d/b"));
    disk.restart(Survival::all);
    EXPECT_EQ(content(disk, "/d/a"), "onetwo") << "the write in flight may be there, too";
    EXPECT_FALSE((*file)->write_at(0, bytes("x")));
    EXPECT_TRUE(disk.lock("/d/lock")) << "locks fall with the power";
}

TEST(SimulatedDisk, AFullDiskTakesAPrefixAndReservedSpaceStaysUsable) {
    SimulatedDisk disk;
    ASSERT_TRUE(disk.make_directories("/d"));
    auto reserved = disk.open("/d/reserved", Mode::create);
    ASSERT_TRUE((*reserved)->preallocate(100));
    disk.set_capacity(110);
    auto file = disk.open("/d/a", Mode::create);
    ASSERT_TRUE(file);
    const auto done = (*file)->write_at(0, bytes("0123456789abc"));
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().fault, base::Fault::full);
    EXPECT_EQ(*(*file)->size(), 10U);
    EXPECT_TRUE((*reserved)->write_at(90, bytes("0123456789")));
    EXPECT_FALSE((*reserved)->write_at(95, bytes("0123456789")));
    EXPECT_EQ(*disk.free_bytes("/d"), 0U);
    disk.set_capacity(SimulatedDisk::never);
    EXPECT_TRUE((*file)->write_at(10, bytes("abc")));
}

}  // namespace
}  // namespace stator::disk
