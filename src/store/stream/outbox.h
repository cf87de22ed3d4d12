// The Outbox publishes what a service announces, exactly the messages of committed work.
//
// enqueue() is called inside the service's own database transaction; step() publishes over MQTT at
// QoS 1 and forgets a message when the broker has acknowledged it (so: when the gate has stored
// it). After a kill the same message may go out twice: receivers are idempotent by (command,
// payload).
#pragma once

#include "world/database/database.h"
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

    Outbox(database::Database& database, mqtt::Client& client);

    [[nodiscard]] Outcome<void> enqueue(const std::string& topic, const std::string& payload);
    // Hand every event of the client to this, then step().
    void on_event(const mqtt::Event& event);
    [[nodiscard]] Outcome<void> step();
    [[nodiscard]] Outcome<std::size_t> waiting();

  private:
    database::Database& database_;
    mqtt::Client& client_;
    std::map<std::uint64_t, std::int64_t> in_flight_;  // publish id -> row id
    std::vector<std::int64_t> acknowledged_;           // row ids, to be forgotten at the next step
};

}  // namespace stator::stream
