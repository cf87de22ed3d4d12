// SimulatedMqtt is a broker in virtual time, in this process, and the clients that talk to it.
//
// It behaves as Mosquitto 2.0.11 was measured to: the hooks are asked for every arrival, duplicates
// of QoS 2 included, before the acknowledgement; a denial is acknowledged under MQTT 3.1.1 and 0x87
// under 5; wills are asked for after disconnect(); a session that is not clean queues up to
// `queued_max` messages, more are dropped; a second client of one id ends the first. A kill()
// forgets sessions, queues and retained messages, and nothing else is lost on the way but what
// Link says. step() is the broker's loop turn; clients move in poll().
#pragma once

#include "world/chance/chance.h"
#include "world/clock/clock.h"
#include "world/mqtt/broker.h"
#include "world/mqtt/mqtt.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace stator::mqtt {

// What the network does; all in virtual time.
struct Link {
    std::int64_t delay_us = 200;  // one way
    double cut_chance = 0.0;      // that a publish is lost together with its connection
    double lost_acknowledgement_chance =
        0.0;  // the same for the acknowledgement: a duplicate follows
};

struct Identity {  // what the certificate would say: found by Credentials::certificate_file
    std::string uri;
    std::string serial;
};

struct BrokerOptions {
    std::size_t queued_max = 1000;  // per session that is away
    std::size_t inflight_max = 20;  // QoS 1 and 2 to one client without an acknowledgement
    std::size_t payload_bytes_max = 1U << 20U;
    std::int64_t tick_us = 50'000;
    std::int64_t backoff_us_min = 100'000;
    std::int64_t backoff_us_max = 10'000'000;
};

class SimulatedClient;
struct Packet;

class SimulatedMqtt final : public Mqtt, public Broker {
  public:
    SimulatedMqtt(clock::Clock& clock, chance::Chance& chance, BrokerOptions options = {});
    ~SimulatedMqtt() override;
    SimulatedMqtt(const SimulatedMqtt&) = delete;
    SimulatedMqtt& operator=(const SimulatedMqtt&) = delete;

    // Not owned; null: everybody may do everything.
    void set_hooks(BrokerHooks* hooks) { hooks_ = hooks; }

    // Whoever connects with this certificate file is this identity.
    void set_identity(const std::string& certificate_file, Identity identity);

    void set_link(const Link& link) { link_ = link; }

    // kill -9 of the broker, and its start afterwards with hooks that know only what was stored.
    void kill();
    void start(BrokerHooks* hooks);

    [[nodiscard]] bool running() const { return running_; }

    // A loop turn; true when it did something.
    bool step();

    [[nodiscard]] Outcome<std::unique_ptr<Client>> connect(Options options) override;
    void publish_to(
        const std::string& client_id, const std::string& topic, const std::string& payload, int qos
    ) override;
    void kick(const std::string& client_id) override;

    // Messages that a full queue dropped.
    [[nodiscard]] std::uint64_t dropped_total() const { return dropped_total_; }

  private:
    friend class SimulatedClient;
    struct Session;

    [[nodiscard]] std::string accept(SimulatedClient& client);  // why not, or empty
    void forget(SimulatedClient& client);
    bool arrive(SimulatedClient& client);
    void arrive_publish(SimulatedClient& client, const Packet& packet);
    void arrive_subscribe(SimulatedClient& client, const Packet& packet);
    void fan_out(const Message& message);
    void offer(Session& session, const Message& message, int qos);
    void drain(Session& session);
    void end(SimulatedClient& client, const std::string& reason, bool with_will);

    clock::Clock& clock_;
    chance::Chance& chance_;
    BrokerOptions options_;
    Link link_;
    BrokerHooks* hooks_ = nullptr;
    bool running_ = true;
    std::int64_t ticked_us_ = 0;
    std::uint64_t handles_ = 0;
    std::uint64_t dropped_total_ = 0;
    std::map<std::string, Identity> identities_;
    std::map<std::string, std::unique_ptr<Session>> sessions_;  // by client id
    std::map<std::string, Message> retained_;                   // by topic
    std::vector<SimulatedClient*> clients_;                     // not owned; in order of connect()
};

}  // namespace stator::mqtt
