// The Downlink brings control and level-2 alerts from Kafka down to MQTT, under the bridge's
// identity.
//
// A record is committed in Kafka after the broker has acknowledged it (so: when the gate has stored
// it); a kill in between brings it down twice: receivers are idempotent. Records that this site
// sent up itself are passed over: they are here already. What the gate refuses is told, counted and
// passed over. Memory: at most passing_max records.
#pragma once

#include "world/journal/journal.h"
#include "world/kafka/kafka.h"
#include "world/mqtt/mqtt.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>

namespace stator::bridge {

inline constexpr std::size_t passing_max = 500;

struct DownlinkOptions {
    std::string site;
    std::map<std::string, std::string> topics;  // Kafka -> MQTT
};

struct DownlinkCounts {
    std::uint64_t brought = 0;  // acknowledged by the MQTT broker
    std::uint64_t own = 0;      // this site's own, passed over
    std::uint64_t refused = 0;
};

class Downlink {
  public:
    Downlink(
        std::unique_ptr<kafka::Consumer> consumer,
        mqtt::Client& client,
        journal::Journal& journal,
        DownlinkOptions options
    );

    // An error leaves everything in its place: call again later.
    [[nodiscard]] Outcome<bool> step();
    void on_event(const mqtt::Event& event);

    [[nodiscard]] const DownlinkCounts& counts() const { return counts_; }

    [[nodiscard]] std::string trouble() const { return consumer_->trouble(); }

  private:
    enum class State : std::uint8_t { waiting, published, done };

    struct Passing {
        kafka::Record record;
        std::uint64_t id = 0;  // of the publish
        State state = State::waiting;
    };

    [[nodiscard]] Outcome<bool> take();
    [[nodiscard]] Outcome<bool> publish();
    [[nodiscard]] Outcome<bool> commit();

    std::unique_ptr<kafka::Consumer> consumer_;
    mqtt::Client& client_;
    journal::Journal& journal_;
    DownlinkOptions options_;
    std::deque<Passing> passing_;
    DownlinkCounts counts_;
};

}  // namespace stator::bridge
