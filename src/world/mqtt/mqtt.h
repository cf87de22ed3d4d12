// The mqtt door: a client of a broker, polled; nothing happens inside a callback.
//
// publish() queues; an Event::acknowledged with its id follows when the broker has acknowledged it
// (QoS 1 and 2) or it was written (QoS 0). The client reconnects by itself with jittered backoff,
// subscribes again by itself after each connect, and publishes what was not acknowledged again.
#pragma once

#include "world/outcome/outcome.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stator::mqtt {

struct Message {
    std::string topic;
    std::string payload;
    int qos = 1;
    bool retain = false;
};

struct Credentials {  // TLS when ca_file is set; paths of PEM files
    std::string ca_file;
    std::string certificate_file;
    std::string key_file;
    std::string username;
    std::string password;
};

struct Options {
    std::string host = "127.0.0.1";
    std::uint16_t port = 8883;
    std::string client_id;
    Credentials credentials;
    int protocol_version = 5;  // 4: MQTT 3.1.1
    bool clean_session = true;
    int keep_alive_s = 20;
    std::size_t queue_max = 10'000;  // publish() says Fault::full above
    std::optional<Message> will;
    bool reconnect = true;
};

struct Event {
    enum class Kind : std::uint8_t { connected, disconnected, acknowledged, refused, message };
    Kind kind = Kind::message;
    std::uint64_t id = 0;  // of the publish that was acknowledged or refused
    std::string reason;    // disconnected, refused: why
    Message message;
};

class Client {
  public:
    virtual ~Client() = default;
    [[nodiscard]] virtual Outcome<std::uint64_t> publish(Message message) = 0;
    [[nodiscard]] virtual Outcome<void> subscribe(const std::string& filter, int qos) = 0;
    // Does the network's work that is due, without blocking, and hands over what happened.
    [[nodiscard]] virtual std::vector<Event> poll() = 0;
    [[nodiscard]] virtual bool connected() const = 0;
    virtual void disconnect() = 0;
};

class Mqtt {
  public:
    virtual ~Mqtt() = default;
    [[nodiscard]] virtual Outcome<std::unique_ptr<Client>> connect(Options options) = 0;
};

}  // namespace stator::mqtt
