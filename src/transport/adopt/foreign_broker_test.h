// ForeignBroker is somebody else's MQTT broker, as a Reader sees it: it keeps a session, and gives
// the lowest free packet identifier, which is the hardest for who must tell messages apart.
#pragma once

#include "world/mqtt/reader.h"

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace stator::adopt {

class ForeignBroker final : public mqtt::Readers {
  public:
    std::size_t in_flight_max = 5;
    std::function<void(const mqtt::Message&)> on_acknowledged = [](const mqtt::Message&) {};
    std::vector<std::string> filters;
    mqtt::Options connection;

    void publish(std::string topic, std::string payload, bool retain = false) {
        queue_.push_back({std::move(topic), std::move(payload), 1, retain});
    }

    // The line: who reads is connected again at once, and is told again what it did not
    // acknowledge.
    void cut() { ++connections_; }

    [[nodiscard]] bool drained() const { return queue_.empty() && in_flight_.empty(); }

    Outcome<std::unique_ptr<mqtt::Reader>> open(mqtt::ReaderOptions options) override;

  private:
    class Session;

    struct InFlight {
        std::uint16_t packet = 0;
        mqtt::Message message;
        std::uint64_t connection = 0;  // over which it was last sent; 0: none
        std::uint64_t id = 0;
    };

    std::deque<mqtt::Message> queue_;
    std::deque<InFlight> in_flight_;
    std::uint64_t connections_ = 1;
    std::uint64_t next_id_ = 1;
};

class ForeignBroker::Session final : public mqtt::Reader {
  public:
    explicit Session(ForeignBroker& broker) : broker_{broker} {}

    std::vector<mqtt::Delivered> poll() override {
        std::vector<mqtt::Delivered> made;
        while (broker_.in_flight_.size() < broker_.in_flight_max && !broker_.queue_.empty()) {
            broker_.in_flight_.push_back({free_packet(), std::move(broker_.queue_.front()), 0, 0});
            broker_.queue_.pop_front();
        }
        for (InFlight& it : broker_.in_flight_) {
            if (it.connection == broker_.connections_) continue;
            const bool duplicate = it.connection != 0;
            it.connection = broker_.connections_;
            it.id = broker_.next_id_++;
            made.push_back({it.id, it.packet, duplicate, it.message});
        }
        return made;
    }

    void acknowledge(std::uint64_t id) override {
        for (auto it = broker_.in_flight_.begin(); it != broker_.in_flight_.end(); ++it)
            if (it->id == id && it->connection == broker_.connections_) {
                const InFlight done = std::move(*it);
                broker_.in_flight_.erase(it);
                broker_.on_acknowledged(done.message);
                return;
            }
    }

    void wait(std::int64_t /*timeout_us*/) override {}

    [[nodiscard]] bool connected() const override { return true; }

    [[nodiscard]] std::uint64_t sessions_lost() const override { return 0; }

    [[nodiscard]] std::string trouble() const override { return {}; }

  private:
    [[nodiscard]] std::uint16_t free_packet() const {
        for (std::uint16_t packet = 1;; ++packet) {
            bool taken = false;
            for (const InFlight& it : broker_.in_flight_)
                taken = taken || it.packet == packet;
            if (!taken) return packet;
        }
    }

    ForeignBroker& broker_;
};

inline Outcome<std::unique_ptr<mqtt::Reader>> ForeignBroker::open(mqtt::ReaderOptions options) {
    filters = options.filters;
    connection = options.connection;
    ++connections_;
    return std::make_unique<Session>(*this);
}

}  // namespace stator::adopt
