// The Outbox publishes what a service announces, exactly the messages of committed work.
//
// enqueue() is called inside the service's own database transaction; step() publishes over MQTT at
// QoS 1 and forgets a message when the broker has acknowledged it (so: when the gate has stored
// it). After a kill the same message may go out twice: receivers are idempotent by (command,
// payload). Messages go out in the order of their enqueueing, but for one that the broker refuses:
// it is kept, said in the journal, and tried again ever more seldom, and those behind it go on.
#pragma once

#include "world/clock/clock.h"
#include "world/database/database.h"
#include "world/journal/journal.h"
#include "world/mqtt/mqtt.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace stator::stream {

class Outbox {
  public:
    // Add this to the schema of the service's database.
    static constexpr std::string_view schema =
        "CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY AUTOINCREMENT,"
        " topic TEXT NOT NULL, payload TEXT NOT NULL);";

    Outbox(
        database::Database& database,
        mqtt::Client& client,
        clock::Clock& clock,
        journal::Journal& journal
    );

    [[nodiscard]] Outcome<void> enqueue(const std::string& topic, const std::string& payload) {
        return enqueue(database_, topic, payload);
    }

    // For whoever has the service's database, and not its client: the service sends it.
    [[nodiscard]] static Outcome<void> enqueue(
        database::Database& database, const std::string& topic, const std::string& payload
    );
    // Hand every event of the client to this, then step().
    void on_event(const mqtt::Event& event);
    [[nodiscard]] Outcome<void> step();
    [[nodiscard]] Outcome<std::size_t> waiting();

  private:
    struct Refused {
        std::int64_t again_us = 0;
        std::int64_t pause_us = 0;
    };

    [[nodiscard]] bool waits(std::int64_t row) const;

    database::Database& database_;
    mqtt::Client& client_;
    clock::Clock& clock_;
    journal::Journal& journal_;
    // Publish id -> row id. The client publishes these again by itself after a reconnection.
    std::map<std::uint64_t, std::int64_t> in_flight_;
    std::map<std::int64_t, Refused> refused_;  // by row id
    std::vector<std::int64_t> acknowledged_;   // row ids, to be forgotten at the next step
};

}  // namespace stator::stream
