// A Reader is a subscriber that acknowledges by hand: what it delivers, the broker keeps until the
// word that it is stored.
//
// libmosquitto acknowledges a QoS 1 message before its callback has run, so it cannot promise that
// (measured: 19 messages lost at a kill -9 at 5000/s). The session is kept by the broker
// (`clean_session` false): after a reconnection, or a kill of this process, it delivers again what
// was not acknowledged, with `duplicate` set and under the same packet identifier.
// Polled; connects, subscribes and connects again by itself.
#pragma once

#include "world/mqtt/mqtt.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace stator::mqtt {

struct ReaderOptions {
    Options connection;
    std::vector<std::string> filters;
    // At most so many without acknowledgement (receive maximum; under MQTT 3.1.1 the broker's own).
    std::uint16_t in_flight_max = 1000;
    std::uint32_t session_s = 7 * 24 * 3600;  // MQTT 5: how long the broker keeps the session
    std::uint32_t packet_bytes_max = 1U << 20U;
};

struct Delivered {
    std::uint64_t id = 0;  // for acknowledge(); of this process
    std::uint16_t packet = 0;
    bool duplicate = false;  // it may have been delivered before
    Message message;
};

class Reader {
  public:
    virtual ~Reader() = default;
    // What has come; does the network's work that is due, without blocking.
    [[nodiscard]] virtual std::vector<Delivered> poll() = 0;
    // In any order: the packets go out in the order of delivery, as the standard wants it. Of a
    // connection that is gone: nothing happens, the message comes again.
    virtual void acknowledge(std::uint64_t id) = 0;
    // Returns when there may be something to do, or after the time-out.
    virtual void wait(std::int64_t timeout_us) = 0;
    [[nodiscard]] virtual bool connected() const = 0;
    // How often the broker said at a reconnection that it has forgotten the session.
    [[nodiscard]] virtual std::uint64_t sessions_lost() const = 0;
    // Why it is not connected, or what it may not read; empty when all is well.
    [[nodiscard]] virtual std::string trouble() const = 0;
};

class Readers {
  public:
    virtual ~Readers() = default;
    [[nodiscard]] virtual Outcome<std::unique_ptr<Reader>> open(ReaderOptions options) = 0;
};

}  // namespace stator::mqtt
