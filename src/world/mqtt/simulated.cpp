#include "world/mqtt/simulated.h"

#include "world/mqtt/simulated_client.h"

#include <algorithm>
#include <ranges>
#include <utility>

namespace stator::mqtt {

SimulatedMqtt::SimulatedMqtt(clock::Clock& clock, chance::Chance& chance, BrokerOptions options)
    : clock_{clock}, chance_{chance}, options_{options}, ticked_us_{clock.monotonic_us()} {}

SimulatedMqtt::~SimulatedMqtt() {
    for (SimulatedClient* client : clients_) {
        client->connected_ = false;
        client->broker_ = nullptr;
    }
}

void SimulatedMqtt::set_identity(const std::string& certificate_file, Identity identity) {
    identities_[certificate_file] = std::move(identity);
}

void SimulatedMqtt::kill() {
    running_ = false;
    hooks_ = nullptr;
    sessions_.clear();
    retained_.clear();
    for (SimulatedClient* client : clients_)
        if (client->connected_) client->lose("the connection was lost");
}

void SimulatedMqtt::start(BrokerHooks* hooks) {
    hooks_ = hooks;
    running_ = true;
}

bool SimulatedMqtt::step() {
    if (!running_) return false;
    bool busy = false;
    const std::vector<SimulatedClient*> clients = clients_;  // a hook may end some of them
    for (SimulatedClient* client : clients)
        while (arrive(*client))
            busy = true;
    const std::int64_t now_us = clock_.monotonic_us();
    if (busy || now_us - ticked_us_ >= options_.tick_us) {
        ticked_us_ = now_us;
        if (hooks_ != nullptr) hooks_->tick(*this);
    }
    return busy;
}

Outcome<std::unique_ptr<Client>> SimulatedMqtt::connect(Options options) {
    auto client = std::make_unique<SimulatedClient>(*this, std::move(options));
    clients_.push_back(client.get());
    return client;
}

void SimulatedMqtt::publish_to(
    const std::string& client_id, const std::string& topic, const std::string& payload, int qos
) {
    const auto session = sessions_.find(client_id);
    if (session != sessions_.end()) offer(*session->second, {topic, payload, qos, false}, qos);
}

void SimulatedMqtt::kick(const std::string& client_id) {
    const auto session = sessions_.find(client_id);
    if (session != sessions_.end() && session->second->client != nullptr)
        end(*session->second->client, "disconnected by the broker", false);
}

std::string SimulatedMqtt::accept(SimulatedClient& client) {
    if (!running_) return "connection refused";
    const Options& options = client.options_;
    client.handle_ = ++handles_;
    if (hooks_ != nullptr) {
        const auto known = identities_.find(options.credentials.certificate_file);
        const Identity identity = known == identities_.end() ? Identity{} : known->second;
        const Peer peer{
            client.handle_,
            options.client_id,
            options.credentials.username,
            options.credentials.password,
            identity.uri,
            identity.serial,
            true,
            options.protocol_version
        };
        if (!hooks_->connect(peer)) return "not authorised";
    }
    auto& session = sessions_[options.client_id];
    if (session != nullptr && session->client != nullptr)
        end(*session->client, "another client took over the id", true);
    // end() may have erased it: look again.
    auto& place = sessions_[options.client_id];
    if (place == nullptr || options.clean_session) place = std::make_unique<Session>();
    place->clean = options.clean_session;
    place->client = &client;
    client.connected_ = true;
    drain(*place);
    return {};
}

void SimulatedMqtt::forget(SimulatedClient& client) {
    std::erase(clients_, &client);
}

bool SimulatedMqtt::arrive(SimulatedClient& client) {
    if (!client.connected_ || client.up_.empty() ||
        client.up_.front().due_us > clock_.monotonic_us())
        return false;
    const Packet packet = std::move(client.up_.front());
    client.up_.pop_front();
    Session& session = *sessions_.at(client.options_.client_id);
    switch (packet.kind) {
        case Packet::Kind::publish:
            arrive_publish(client, packet);
            break;
        case Packet::Kind::subscribe:
            arrive_subscribe(client, packet);
            break;
        case Packet::Kind::acknowledge:
            session.inflight.erase(packet.id);
            drain(session);
            break;
        case Packet::Kind::release:
            session.incomplete.erase(packet.id);
            break;
        case Packet::Kind::refuse:
            break;
    }
    return true;
}

void SimulatedMqtt::arrive_publish(SimulatedClient& client, const Packet& packet) {
    const Message& message = packet.message;
    if (chance_.uniform() < link_.cut_chance ||
        message.payload.size() > options_.payload_bytes_max) {
        end(client, "the connection was lost", true);
        return;
    }
    const std::uint64_t handle = client.handle_;
    Verdict verdict = Verdict::accept;
    if (hooks_ != nullptr)
        verdict =
            hooks_->publish({handle, message.topic, message.payload, message.qos, message.retain});
    if (!client.connected_ || client.handle_ != handle) return;  // the hook ended it
    if (verdict == Verdict::drop) {
        end(client, "the connection was closed by the broker", true);
        return;
    }
    const auto answer = [&](Packet::Kind kind) {
        if (message.qos == 0) return;
        if (chance_.uniform() < link_.lost_acknowledgement_chance) {
            end(client, "the connection was lost", true);
            return;
        }
        const std::string reason = kind == Packet::Kind::refuse ? "0x87 not authorised" : "";
        client.down_.push_back(
            {kind, clock_.monotonic_us() + link_.delay_us, packet.id, {{}, reason, 0, false}}
        );
    };
    if (verdict == Verdict::deny) {
        // 3.1.1 has no negative acknowledgement: the device believes that it was taken.
        answer(
            client.options_.protocol_version == 5 ? Packet::Kind::refuse : Packet::Kind::acknowledge
        );
        return;
    }
    Session& session = *sessions_.at(client.options_.client_id);
    const bool duplicate = message.qos == 2 && !session.incomplete.insert(packet.id).second;
    if (!duplicate) fan_out(message);
    answer(Packet::Kind::acknowledge);
}

void SimulatedMqtt::arrive_subscribe(SimulatedClient& client, const Packet& packet) {
    const std::string& filter = packet.message.topic;
    if (hooks_ != nullptr && hooks_->subscribe(client.handle_, filter) != Verdict::accept) {
        client.down_.push_back(
            {Packet::Kind::refuse,
             clock_.monotonic_us() + link_.delay_us,
             0,
             {filter, "subscription denied", 0, false}}
        );
        return;
    }
    Session& session = *sessions_.at(client.options_.client_id);
    session.filters[filter] = packet.message.qos;
    for (const auto& [topic, message] : retained_)
        if (matches(filter, topic) && (hooks_ == nullptr || hooks_->deliver(client.handle_, topic)))
            offer(session, message, std::min(message.qos, packet.message.qos));
}

void SimulatedMqtt::fan_out(const Message& message) {
    if (message.retain && message.payload.empty())
        retained_.erase(message.topic);
    else if (message.retain)
        retained_[message.topic] = message;
    Message live = message;
    live.retain = false;  // only what was kept for a late subscriber says so
    for (const auto& [id, session] : sessions_) {
        int qos = -1;
        for (const auto& [filter, filter_qos] : session->filters)
            if (matches(filter, message.topic)) qos = std::max(qos, filter_qos);
        if (qos < 0) continue;
        if (session->client != nullptr && hooks_ != nullptr &&
            !hooks_->deliver(session->client->handle_, message.topic))
            continue;
        offer(*session, live, std::min(qos, message.qos));
    }
}

void SimulatedMqtt::offer(Session& session, const Message& message, int qos) {
    Message copy = message;
    copy.qos = qos;
    if (session.client == nullptr && (session.clean || qos == 0)) return;
    if (session.client != nullptr && qos == 0) {
        session.client->down_.push_back(
            {Packet::Kind::publish, clock_.monotonic_us() + link_.delay_us, 0, std::move(copy)}
        );
        return;
    }
    if (session.queue.size() >= options_.queued_max) {
        ++dropped_total_;
        return;
    }
    session.queue.push_back(std::move(copy));
    drain(session);
}

void SimulatedMqtt::drain(Session& session) {
    while (session.client != nullptr && !session.queue.empty() &&
           session.inflight.size() < options_.inflight_max) {
        const std::uint64_t id = session.next_id++;
        session.client->down_.push_back(
            {Packet::Kind::publish,
             clock_.monotonic_us() + link_.delay_us,
             id,
             session.queue.front()}
        );
        session.inflight[id] = std::move(session.queue.front());
        session.queue.pop_front();
    }
}

void SimulatedMqtt::end(SimulatedClient& client, const std::string& reason, bool with_will) {
    const std::uint64_t handle = client.handle_;
    const std::string& id = client.options_.client_id;
    const auto found = sessions_.find(id);
    if (found != sessions_.end() && found->second->client == &client) {
        Session& session = *found->second;
        session.client = nullptr;
        // What was under way goes down again, first and in order, when the client comes back.
        for (auto& [mid, message] : session.inflight | std::views::reverse)
            session.queue.push_front(std::move(message));
        session.inflight.clear();
        if (session.clean) sessions_.erase(found);
    }
    client.lose(reason);
    if (hooks_ != nullptr) hooks_->disconnect(handle);
    if (!with_will || !client.options_.will) return;
    const Message& will = *client.options_.will;
    if (hooks_ == nullptr ||
        hooks_->publish({handle, will.topic, will.payload, will.qos, will.retain}) ==
            Verdict::accept)
        fan_out(will);
}

}  // namespace stator::mqtt
