// The Link carries messages to and from the broker: QoS 1, polled, nothing inside a callback.
//
// It connects, and connects again with jittered backoff, by itself, and subscribes again by itself.
// It keeps nothing over a lost connection: whatever was not acknowledged when Kind::disconnected
// came must be published again by the caller, who alone knows the order.
#pragma once

#include "shared/base/result.h"

#include <cstdint>
#include <string_view>

namespace stator::hal {

struct LinkEvent {
    enum class Kind : std::uint8_t { connected, disconnected, acknowledged, refused, message };
    Kind kind = Kind::message;
    std::uint32_t id = 0;      // of the publish that was acknowledged or refused
    std::string_view topic;    // of a message; valid until the next poll()
    std::string_view payload;  // of a message, or why it was refused or disconnected
};

class Link {
  public:
    // Once, before the first poll().
    [[nodiscard]] virtual base::Result<void> subscribe(std::string_view topic) = 0;
    // An id that poll() will name. Fault::again when not connected, Fault::full when the window is.
    [[nodiscard]] virtual base::Result<std::uint32_t> publish(
        std::string_view topic, std::string_view payload
    ) = 0;
    // Does the network's work that is due, without waiting. False when nothing happened.
    [[nodiscard]] virtual bool poll(LinkEvent& event) = 0;

  protected:
    ~Link() = default;
};

}  // namespace stator::hal
