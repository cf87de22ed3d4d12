// The gate follows the registry's snapshot.
#include "transport/gate/gate_fixture_test.h"

namespace stator::gate {

namespace {

TEST_F(GateTest, lets_in_at_once_whom_the_registry_has_just_listed) {
    run(50'000);
    ASSERT_FALSE(gate->connect({.handle = 1, .client_id = "new", .loopback = true}));
    run(50'000);
    devices::Rights rights{
        .generation = 2, .devices = {{"new", "sensor", devices::State::active, {}}}
    };
    rights.legacy = {{"new", true, ""}};
    write_rights(rights);
    EXPECT_TRUE(gate->connect({.handle = 2, .client_id = "new", .loopback = true}));
    run(50'000);
    rights.generation = 3;
    rights.devices.push_back({"newer", "actor", devices::State::active, {}});
    write_rights(rights);
    EXPECT_NE(join("actor", "newer"), 0U);
}

TEST_F(GateTest, ends_revoked_connections_within_two_seconds) {
    join("sensor", "7");
    join("actor", "8");
    join("service", "ingest");
    write_rights(
        {.generation = 2,
         .devices =
             {{"7", "sensor", devices::State::revoked, {}},
              {"8", "actor", devices::State::active, {}}},
         .revoked_serials = {"ABingest"}}
    );
    run(2'000'000);
    EXPECT_EQ(broker.kicked.size(), 2U);
    EXPECT_EQ(std::ranges::count(broker.kicked, "8"), 0);
    EXPECT_EQ(join("sensor", "7"), 0U);
    EXPECT_EQ(join("service", "ingest"), 0U);
}

TEST_F(GateTest, goes_on_by_the_old_rights_while_many_new_ones_are_read_beside) {
    std::vector<std::function<void()>> jobs;
    reader.read_beside([&](std::function<void()> job) {
        jobs.push_back(std::move(job));
        return true;
    });
    const std::uint64_t handle = join("sensor", "7");
    devices::Rights many{.generation = 2};
    many.devices.push_back({"7", "sensor", devices::State::revoked, {}});
    for (int i = 0; i < 2000; ++i)
        many.devices.push_back({std::to_string(10'000 + i), "sensor", devices::State::active, {}});
    write_rights(many);
    run(2'000'000);
    ASSERT_EQ(jobs.size(), 1U);
    EXPECT_TRUE(broker.kicked.empty());
    EXPECT_EQ(publish(handle, data_topic, R"({"deviceID":"7"})"), Verdict::accept);
    jobs[0]();
    run(10'000);
    EXPECT_EQ(broker.kicked, std::vector<std::string>{"7"});
    EXPECT_NE(join("sensor", "10001"), 0U);
}

TEST_F(GateTest, keeps_the_last_rights_when_the_snapshot_is_spoiled) {
    join("sensor", "7");
    ASSERT_TRUE(disk.replace("/state/registry/rights", "stator-rights 1 9 00000000\n{}"));
    run(2'000'000);
    EXPECT_TRUE(broker.kicked.empty());
    EXPECT_TRUE(journal.told("checksum"));
    EXPECT_NE(join("actor", "8"), 0U);
}

}  // namespace

}  // namespace stator::gate
