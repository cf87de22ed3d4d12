// SimulatedClient is one client of the simulated broker, and both directions of its connection.
#pragma once

#include "world/mqtt/simulated.h"

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace stator::mqtt {

struct Packet {
    enum class Kind : std::uint8_t { publish, acknowledge, refuse, release, subscribe };
    Kind kind = Kind::publish;
    std::int64_t due_us = 0;
    std::uint64_t id = 0;
    Message message;  // subscribe: topic is the filter
};

// What the broker keeps of a client, beyond its connection when the session is not clean.
struct SimulatedMqtt::Session {
    SimulatedClient* client = nullptr;  // not owned; null while it is away
    bool clean = true;
    std::uint64_t next_id = 1;
    std::map<std::string, int> filters;         // to QoS
    std::deque<Message> queue;                  // waits for the client or for the window
    std::map<std::uint64_t, Message> inflight;  // went down without an acknowledgement
    std::set<std::uint64_t> incomplete;         // QoS 2: came, not yet released
};

class SimulatedClient final : public Client {
  public:
    SimulatedClient(SimulatedMqtt& broker, Options options);
    ~SimulatedClient() override;
    SimulatedClient(const SimulatedClient&) = delete;
    SimulatedClient& operator=(const SimulatedClient&) = delete;
    [[nodiscard]] Outcome<std::uint64_t> publish(Message message) override;
    [[nodiscard]] Outcome<void> subscribe(const std::string& filter, int qos) override;
    [[nodiscard]] std::vector<Event> poll() override;

    [[nodiscard]] bool connected() const override { return connected_; }

    void disconnect() override;

  private:
    friend class SimulatedMqtt;

    struct Pending {
        std::uint64_t id = 0;
        Message message;
        bool sent = false;
    };

    void attempt();
    void send(Packet packet);
    void send_pending();
    void receive(const Packet& packet);
    void lose(const std::string& reason);  // the connection has ended

    SimulatedMqtt* broker_;  // null when the broker object is gone
    Options options_;
    bool connected_ = false;
    bool wanted_ = true;
    std::uint64_t handle_ = 0;
    std::uint64_t next_id_ = 1;
    std::int64_t attempt_us_ = 0;  // not before
    int failures_ = 0;
    std::deque<Pending> pending_;
    std::map<std::string, int> filters_;
    std::deque<Packet> up_;
    std::deque<Packet> down_;
    std::vector<Event> events_;
};

}  // namespace stator::mqtt
