#include "store/devices/rights.h"

#include "world/disk/simulated.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <random>
#include <tuple>

namespace stator::devices {

namespace {

constexpr const char* path = "/s/rights";

Rights random_rights(std::mt19937& random, std::uint64_t generation) {
    Rights rights{.generation = generation};
    std::map<std::string, Right> by_id;
    for (std::size_t i = random() % 6; i > 0; --i) {
        const std::string id = "dev" + std::to_string(random() % 9);
        by_id[id] = {id, "sensor", static_cast<State>(random() % 3), {}};
        if (random() % 4 == 0) by_id[id].assigned = {"dev1", "dev2"};
    }
    for (const auto& [id, right] : by_id)
        rights.devices.push_back(right);
    if (random() % 2 == 0) rights.revoked_serials = {"0A", "FF"};
    if (random() % 2 == 0) rights.legacy = {{"dev3", random() % 2 == 0, "salt:hash"}};
    return rights;
}

class RightsFile : public testing::Test {
  protected:
    void SetUp() override { ASSERT_TRUE(disk.make_directories("/s")); }

    disk::SimulatedDisk disk;
};

// The model is one value: the last snapshot that was written whole. Writes, spoiled bytes, removals
// and cut power must never make the reader hold anything else, or anything older.
TEST_F(RightsFile, the_reader_always_holds_the_last_good_snapshot) {
    for (unsigned seed = 1; seed <= 100; ++seed) {
        std::mt19937 random{seed};
        disk::SimulatedDisk world{seed};
        ASSERT_TRUE(world.make_directories("/s"));
        ASSERT_TRUE(world.sync_directory("/"));
        RightsReader reader{world, path};
        Rights model;  // what the reader must hold
        std::uint64_t generation = 0;
        for (int step = 0; step < 60; ++step) {
            switch (random() % 4) {
                case 0:
                case 1: {
                    const Rights next = random_rights(random, ++generation);
                    ASSERT_TRUE(save_rights(world, path, next));
                    ASSERT_TRUE(reader.refresh());
                    EXPECT_TRUE(reader.problem().empty()) << reader.problem();
                    model = next;
                    break;
                }
                case 2: {  // spoiled on its way: one bit of a new snapshot
                    std::string bytes = serialise(random_rights(random, ++generation));
                    const std::size_t at = random() % bytes.size();
                    bytes[at] = static_cast<char>(bytes[at] ^ (1 << (random() % 8)));
                    ASSERT_TRUE(world.replace(path, bytes));
                    EXPECT_FALSE(reader.refresh()) << "byte " << at;
                    EXPECT_FALSE(reader.problem().empty());
                    break;
                }
                default:
                    if (world.exists(path)) {
                        ASSERT_TRUE(world.remove(path));
                    }
                    EXPECT_FALSE(reader.refresh());
                    EXPECT_FALSE(reader.problem().empty());
            }
            ASSERT_EQ(reader.rights(), model) << "seed " << seed << " step " << step;
        }
    }
}

TEST_F(RightsFile, every_cut_of_power_leaves_the_old_or_the_new_snapshot) {
    std::mt19937 random{3};
    const Rights old = random_rights(random, 1);
    const Rights young = random_rights(random, 2);
    int left_old = 0;
    int left_young = 0;
    for (std::uint64_t cut = 0;; ++cut) {
        disk::SimulatedDisk world{cut + 1};
        ASSERT_TRUE(world.make_directories("/s"));
        ASSERT_TRUE(world.sync_directory("/"));
        ASSERT_TRUE(save_rights(world, path, old));
        world.cut_power_before(world.operations() + cut);
        const bool saved = save_rights(world, path, young).has_value();
        const bool cut_came = world.power_is_off();
        world.restart(disk::Survival::random);
        RightsReader reader{world, path};
        ASSERT_TRUE(reader.refresh()) << reader.problem();
        const bool is_old = !saved && reader.rights() == old;
        EXPECT_TRUE(reader.rights() == young || is_old) << "cut " << cut;
        if (!cut_came) break;
        ++(is_old ? left_old : left_young);
        ASSERT_LT(cut, 100U);
    }
    EXPECT_GT(left_old, 0);
    EXPECT_GT(left_young, 0);
}

TEST_F(RightsFile, is_looked_at_cheaply_until_its_first_line_changes) {
    std::mt19937 random{1};
    RightsReader reader{disk, path};
    ASSERT_TRUE(save_rights(disk, path, random_rights(random, 1)));
    EXPECT_TRUE(reader.refresh());
    EXPECT_FALSE(reader.refresh());
}

TEST_F(RightsFile, a_large_one_is_read_beside_and_taken_once_it_is_there) {
    const auto write = [&](std::uint64_t generation, std::size_t devices) {
        Rights rights{.generation = generation};
        for (std::size_t i = 0; i < devices; ++i)
            rights.devices.push_back({std::to_string(10'000 + i), "sensor", State::active, {}});
        EXPECT_TRUE(save_rights(disk, path, rights));
        return rights;
    };
    std::vector<std::function<void()>> jobs;
    bool busy = false;
    RightsReader reader{disk, path};
    const Rights first = write(1, 2000);
    ASSERT_TRUE(reader.refresh()) << "nobody waits yet";
    reader.read_beside([&](std::function<void()> job) {
        if (!busy) jobs.push_back(std::move(job));
        return !busy;
    });
    const Rights small = write(2, 3);
    EXPECT_TRUE(reader.refresh());
    EXPECT_EQ(reader.rights(), small);
    std::ignore = write(3, 2000);
    busy = true;
    EXPECT_FALSE(reader.refresh());
    busy = false;
    EXPECT_FALSE(reader.refresh());
    EXPECT_FALSE(reader.refresh());
    ASSERT_EQ(jobs.size(), 1U);
    EXPECT_FALSE(reader.waiting());
    EXPECT_EQ(reader.rights(), small);
    const Rights newest = write(4, 2001);  // before the job came to it
    jobs[0]();
    EXPECT_TRUE(reader.waiting());
    EXPECT_TRUE(reader.refresh());
    EXPECT_EQ(reader.rights(), newest);
    EXPECT_FALSE(reader.waiting());
    EXPECT_FALSE(reader.refresh());
    std::string spoiled = serialise(write(5, 2000));
    spoiled.back() = 'x';
    ASSERT_TRUE(disk.replace(path, spoiled));
    EXPECT_FALSE(reader.refresh());
    ASSERT_EQ(jobs.size(), 2U);
    jobs[1]();
    EXPECT_FALSE(reader.refresh());
    EXPECT_FALSE(reader.problem().empty());
    EXPECT_EQ(reader.rights(), newest);
    EXPECT_FALSE(reader.refresh());
    EXPECT_EQ(jobs.size(), 2U) << "what was refused is not read again";
}

TEST_F(RightsFile, a_twin_is_refused) {
    Rights rights{.generation = 1};
    rights.devices = {{"a", "sensor", State::active, {}}, {"a", "actor", State::revoked, {}}};
    EXPECT_FALSE(parse_rights(serialise(rights), path));
}

TEST(Rights, reads_the_documented_example) {
    // docs/formats/rights.md
    Rights rights{.generation = 7};
    rights.devices = {{"14333616", "actor", State::active, {}}};
    rights.revoked_serials = {"0A1B"};
    const std::string bytes = serialise(rights);
    EXPECT_EQ(
        bytes.substr(bytes.find('\n') + 1),
        "{\"devices\":[{\"id\":\"14333616\",\"role\":\"actor\",\"state\":\"active\"}],"
        "\"legacy\":[],\"revoked_serials\":[\"0A1B\"]}\n"
    );
    EXPECT_EQ(bytes.substr(0, bytes.find('\n')), "stator-rights 1 7 ae1e3eef");
    const auto parsed = parse_rights(bytes, path);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(*parsed, rights);
}

TEST(Rights, passwords_match_their_own_hash_only) {
    const std::string hash = hash_password("salt", "secret");
    EXPECT_TRUE(password_matches(hash, "secret"));
    EXPECT_FALSE(password_matches(hash, "Secret"));
    EXPECT_FALSE(password_matches(hash, ""));
    EXPECT_FALSE(password_matches("", ""));
    EXPECT_FALSE(password_matches("", "secret"));
}

}  // namespace

}  // namespace stator::devices
