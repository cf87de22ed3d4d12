// MqttLink is the node's link over the mqtt door: QoS 1, a small window, its own backoff.
//
// Each connection is a fresh client, so that nothing of an old one is sent again behind the back of
// the outbox, which alone knows the order and what is stored already.
#pragma once

#include "sense/hal/link.h"
#include "world/chance/chance.h"
#include "world/clock/clock.h"
#include "world/mqtt/mqtt.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace stator::host {

class MqttLink final : public hal::Link {
  public:
    MqttLink(mqtt::Mqtt& mqtt, clock::Clock& clock, chance::Chance& chance, mqtt::Options options);

    [[nodiscard]] base::Result<void> subscribe(std::string_view topic) override;
    [[nodiscard]] base::Result<std::uint32_t> publish(
        std::string_view topic, std::string_view payload
    ) override;
    [[nodiscard]] bool poll(hal::LinkEvent& event) override;

    // Why it is not connected, for people.
    [[nodiscard]] const std::string& reason() const { return reason_; }

    void disconnect();

  private:
    void connect();

    mqtt::Mqtt& mqtt_;
    clock::Clock& clock_;
    chance::Chance& chance_;
    mqtt::Options options_;
    std::vector<std::string> topics_;
    std::unique_ptr<mqtt::Client> client_;
    std::deque<mqtt::Event> events_;
    mqtt::Event current_;  // what the last poll() points into
    std::string reason_;
    int failures_ = 0;
    std::int64_t attempt_us_ = 0;
};

}  // namespace stator::host
