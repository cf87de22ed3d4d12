#include "world/mqtt/simulated_client.h"

#include "world/mqtt/backoff.h"

#include <algorithm>
#include <utility>

namespace stator::mqtt {

SimulatedClient::SimulatedClient(SimulatedMqtt& broker, Options options)
    : broker_{&broker},
      options_{std::move(options)},
      attempt_us_{broker.clock_.monotonic_us() + broker.link_.delay_us} {}

SimulatedClient::~SimulatedClient() {
    if (broker_ == nullptr) return;
    if (connected_) broker_->end(*this, "the client has gone", true);
    broker_->forget(*this);
}

Outcome<std::uint64_t> SimulatedClient::publish(Message message) {
    if (pending_.size() >= options_.queue_max)
        return fail(base::Fault::full, "the queue of " + options_.client_id + " is full");
    pending_.push_back({next_id_, std::move(message), false});
    return next_id_++;
}

Outcome<void> SimulatedClient::subscribe(const std::string& filter, int qos) {
    filters_[filter] = qos;
    if (connected_) send({Packet::Kind::subscribe, 0, 0, {filter, {}, qos, false}});
    return {};
}

std::vector<Event> SimulatedClient::poll() {
    if (broker_ != nullptr) {
        if (!connected_ && wanted_ && broker_->clock_.monotonic_us() >= attempt_us_) attempt();
        const std::int64_t now_us = broker_->clock_.monotonic_us();
        while (connected_ && !down_.empty() && down_.front().due_us <= now_us) {
            const Packet packet = std::move(down_.front());
            down_.pop_front();
            receive(packet);
        }
        if (connected_) send_pending();
    }
    return std::exchange(events_, {});
}

void SimulatedClient::disconnect() {
    wanted_ = false;
    if (!connected_ || broker_ == nullptr) return;
    broker_->end(*this, "the client said good-bye", false);
}

void SimulatedClient::attempt() {
    const std::string refused = broker_->accept(*this);
    if (!refused.empty()) {
        lose(refused);
        return;
    }
    failures_ = 0;
    for (const auto& [filter, qos] : filters_)
        send({Packet::Kind::subscribe, 0, 0, {filter, {}, qos, false}});
    for (Pending& pending : pending_)
        pending.sent = false;
    events_.push_back({Event::Kind::connected, 0, {}, {}});
}

void SimulatedClient::send(Packet packet) {
    packet.due_us = broker_->clock_.monotonic_us() + broker_->link_.delay_us;
    up_.push_back(std::move(packet));
}

void SimulatedClient::send_pending() {
    std::size_t window = broker_->options_.inflight_max;
    for (auto at = pending_.begin(); at != pending_.end() && window > 0;) {
        if (!at->sent) send({Packet::Kind::publish, 0, at->id, at->message});
        at->sent = true;
        if (at->message.qos == 0) {
            events_.push_back({Event::Kind::acknowledged, at->id, {}, {}});
            at = pending_.erase(at);
        } else {
            --window;
            ++at;
        }
    }
}

void SimulatedClient::receive(const Packet& packet) {
    if (packet.kind == Packet::Kind::publish) {
        if (packet.message.qos > 0) send({Packet::Kind::acknowledge, 0, packet.id, {}});
        events_.push_back({Event::Kind::message, 0, {}, packet.message});
        return;
    }
    const auto at = std::ranges::find(pending_, packet.id, &Pending::id);
    if (packet.kind == Packet::Kind::refuse) {
        const Message& about = packet.message;  // a subscription has id 0 and names its filter
        events_.push_back({Event::Kind::refused, packet.id, about.payload, {about.topic, {}}});
    }
    if (at == pending_.end()) return;
    if (packet.kind != Packet::Kind::refuse) {
        if (at->message.qos == 2) send({Packet::Kind::release, 0, packet.id, {}});
        events_.push_back({Event::Kind::acknowledged, packet.id, {}, {}});
    }
    pending_.erase(at);
}

void SimulatedClient::lose(const std::string& reason) {
    connected_ = false;
    up_.clear();
    down_.clear();
    if (!options_.reconnect) wanted_ = false;
    ++failures_;
    attempt_us_ = broker_->clock_.monotonic_us() + backoff_us(
                                                       failures_,
                                                       broker_->options_.backoff_us_min,
                                                       broker_->options_.backoff_us_max,
                                                       broker_->chance_
                                                   );
    events_.push_back({Event::Kind::disconnected, 0, reason, {}});
}

}  // namespace stator::mqtt
