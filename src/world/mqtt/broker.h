// BrokerHooks is what a broker asks before it does something: the gate's place in any broker.
//
// The real broker (Mosquitto, through the gate's C entry) and the simulated one ask the same
// questions in the same order. publish() is asked before the acknowledgement, again for every
// duplicate, and for a will after disconnect(). What the broker itself publishes is not asked for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace stator::mqtt {

struct Peer {                  // one connection
    std::uint64_t handle = 0;  // differs among the connections that are there at one time
    std::string client_id;
    std::string username;
    std::string password;
    std::string uri;     // SAN URI of the client certificate; empty without one
    std::string serial;  // of that certificate, upper-case hex
    bool loopback = false;
    int protocol_version = 4;  // 4: MQTT 3.1.1
};

enum class Verdict : std::uint8_t {
    accept,
    deny,  // MQTT 5: reason 0x87. MQTT 3.1.1: acknowledged all the same, then forgotten
    drop,  // no acknowledgement: the connection ends
};

struct Publication {
    std::uint64_t handle = 0;
    std::string_view topic;
    std::string_view payload;
    int qos = 0;
    bool retain = false;
};

// What the hooks may ask of the broker, on the broker's own thread.
class Broker {
  public:
    virtual ~Broker() = default;
    // To one client, whether it subscribed or not; queued when it has a persistent session.
    virtual void publish_to(
        const std::string& client_id, const std::string& topic, const std::string& payload, int qos
    ) = 0;
    // Ends a connection without its will.
    virtual void kick(const std::string& client_id) = 0;
};

class BrokerHooks {
  public:
    virtual ~BrokerHooks() = default;
    [[nodiscard]] virtual bool connect(const Peer& peer) = 0;
    [[nodiscard]] virtual Verdict subscribe(std::uint64_t handle, std::string_view filter) = 0;
    [[nodiscard]] virtual Verdict publish(const Publication& publication) = 0;
    // May this message go down to that client?
    [[nodiscard]] virtual bool deliver(std::uint64_t handle, std::string_view topic) = 0;
    virtual void disconnect(std::uint64_t handle) = 0;
    // At most 100 ms apart.
    virtual void tick(Broker& broker) = 0;
};

// Does the topic match the filter, after MQTT 5, 4.7? ($-topics are not matched by + and #.)
[[nodiscard]] bool matches(std::string_view filter, std::string_view topic);

}  // namespace stator::mqtt
