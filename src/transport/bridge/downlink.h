// The Downlink brings control and level-2 alerts from Kafka down to MQTT, under the bridge's
// identity.
//
// A record is committed in Kafka after the broker has acknowledged it (so: when the gate has stored
// it). Records that this site sent up itself are passed over: they are here already.
#pragma once

#include "world/kafka/kafka.h"
#include "world/mqtt/mqtt.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>

namespace stator::bridge {

struct DownlinkOptions {
    std::string site;
    std::map<std::string, std::string> topics;  // Kafka -> MQTT
};

class Downlink {
  public:
    Downlink(
        std::unique_ptr<kafka::Consumer> consumer, mqtt::Client& client, DownlinkOptions options
    );

    [[nodiscard]] Outcome<bool> step();
    void on_event(const mqtt::Event& event);

    [[nodiscard]] std::uint64_t brought() const { return brought_; }

  private:
    struct Passing {
        kafka::Record record;
        std::uint64_t id = 0;  // of the publish; 0: nothing to wait for
        bool done = false;
    };

    std::unique_ptr<kafka::Consumer> consumer_;
    mqtt::Client& client_;
    DownlinkOptions options_;
    std::deque<Passing> passing_;
    std::uint64_t brought_ = 0;
};

}  // namespace stator::bridge
