// An Intake is one foreign broker's stream of messages, MQTT or Kafka alike: taken, and let go of
// when they are stored.
//
// done() may be called in any order; the broker hears of it in the order in which it delivered.
// What was not done comes again, after a reconnection or a kill -9, with `repeated` set.
#pragma once

#include "transport/adopt/map.h"
#include "world/kafka/kafka.h"
#include "world/mqtt/reader.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace stator::adopt {

struct Incoming {
    std::uint64_t id = 0;  // of this intake and this process
    std::string topic;
    std::string key;
    std::string payload;
    std::int64_t unix_ms = 0;  // when that broker got it; 0: it does not say
    std::string place;         // "17", a packet; "state/0/1234", topic, partition and offset
    bool repeated = false;     // it may have been delivered before
    bool retained = false;     // the broker's memory of an old message
};

class Intake {
  public:
    virtual ~Intake() = default;
    [[nodiscard]] virtual Outcome<std::vector<Incoming>> poll() = 0;
    virtual void done(std::uint64_t id) = 0;
    virtual void wait(std::int64_t timeout_us) = 0;
    [[nodiscard]] virtual bool connected() const = 0;
    [[nodiscard]] virtual std::uint64_t sessions_lost() const = 0;
    [[nodiscard]] virtual std::string trouble() const = 0;
};

// What the world offers to read from others with. `kafka` null: the map may name none.
struct Ways {
    mqtt::Readers* mqtt = nullptr;
    kafka::Kafka* kafka = nullptr;
};

// `sources`: those of this broker. `password`: what its password_file says.
[[nodiscard]] Outcome<std::unique_ptr<Intake>> open_intake(
    const Ways& ways,
    const Broker& broker,
    const std::vector<const Source*>& sources,
    const std::string& password
);

}  // namespace stator::adopt
