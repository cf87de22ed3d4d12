// What the tests of the gate stand on: a storage in memory, a broker that notes what it is told.
#pragma once

#include "transport/gate/gate.h"
#include "world/clock/virtual.h"
#include "world/disk/simulated.h"
#include "world/journal/recorded.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>

namespace stator::gate {

using mqtt::Verdict;
using wire::TopicKind;

class Memory final : public Storage {
  public:
    Outcome<void> append(log::Class log_class, const log::RecordView& record, const Mark* mark)
        override {
        if (failing) return fail(base::Fault::full, "no space");
        records.push_back(
            {{},
             {},
             record.receive_unix_ms,
             record.identity,
             std::string{record.topic},
             std::string{record.sender},
             std::string{record.payload}}
        );
        classes.push_back(log_class);
        if (mark != nullptr) last_marks[mark->device] = *mark;
        return {};
    }

    void begin_sync() override { syncing = true; }

    Sync poll_sync() override {
        if (!syncing) return Sync::idle;
        if (stuck) return Sync::running;
        syncing = false;
        if (sync_fails) return Sync::failed;
        return Sync::done;
    }

    std::vector<Mark> marks() override { return kept; }

    double fill(log::Class /*log_class*/) override { return full; }

    void maintain() override {}

    [[nodiscard]] std::vector<std::string> on(std::string_view topic) const {
        std::vector<std::string> all;
        for (const log::Record& record : records)
            if (record.topic == topic) all.push_back(record.payload);
        return all;
    }

    bool failing = false;
    bool sync_fails = false;
    bool stuck = false;
    bool syncing = false;
    double full = 0.0;
    std::vector<Mark> kept;
    std::map<std::string, Mark> last_marks;
    std::vector<log::Record> records;
    std::vector<log::Class> classes;
};

struct Outbound final : mqtt::Broker {
    void publish_to(
        const std::string& client_id,
        const std::string& topic,
        const std::string& payload,
        int /*qos*/
    ) override {
        sent.emplace_back(client_id + " " + topic, payload);
    }

    void kick(const std::string& client_id) override { kicked.push_back(client_id); }

    std::vector<std::pair<std::string, std::string>> sent;
    std::vector<std::string> kicked;
};

inline constexpr const char* data_topic = "shaded-pole-motor-sensor_data";

class GateTest : public testing::Test {
  protected:
    void SetUp() override {
        ASSERT_TRUE(disk.make_directories("/state/registry"));
        write_rights(
            {.generation = 1,
             .devices =
                 {{"7", "sensor", devices::State::active, {}},
                  {"8", "actor", devices::State::active, {}},
                  {"9", "sensor", devices::State::provisioned, {}},
                  {"old", "sensor", devices::State::active, {}},
                  {"older", "actor", devices::State::active, {}},
                  {"l2", "level2", devices::State::active, {"7"}}},
             .legacy = {{"old", false, devices::hash_password("s", "secret")}, {"older", true, ""}}}
        );
        gate.emplace(storage, reader, clock, journal, options);
    }

    void write_rights(const devices::Rights& rights) {
        ASSERT_TRUE(devices::save_rights(disk, "/state/registry/rights", rights));
    }

    std::uint64_t join(const std::string& role, const std::string& id, int version = 5) {
        mqtt::Peer peer{.handle = ++handles, .client_id = id, .protocol_version = version};
        peer.uri = "urn:stator:" + role + ":" + id;
        peer.serial = "AB" + id;
        return gate->connect(peer) ? peer.handle : 0;
    }

    Verdict publish(std::uint64_t handle, std::string_view topic, std::string_view payload) {
        return gate->publish({handle, topic, payload, 1, false});
    }

    void run(std::int64_t duration_us) {
        for (std::int64_t us = 0; us < duration_us; us += 10'000) {
            clock.wait_us(10'000);
            gate->tick(broker);
        }
    }

    clock::VirtualClock clock{1'700'000'000'000};
    disk::SimulatedDisk disk;
    journal::RecordedJournal journal;
    Memory storage;
    Outbound broker;
    devices::RightsReader reader{disk, "/state/registry/rights"};
    Options options;
    std::optional<Gate> gate;
    std::uint64_t handles = 0;
};

}  // namespace stator::gate
