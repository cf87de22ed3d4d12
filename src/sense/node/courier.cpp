#include "sense/node/courier.h"

#include <algorithm>

namespace stator::node {

bool Courier::hear(const hal::LinkEvent& event, std::int64_t now_us) {
    using Kind = hal::LinkEvent::Kind;
    switch (event.kind) {
        case Kind::connected:
            connected_ = true;
            mark_seen_ = false;
            connected_us_ = now_us;
            hal_.log.info("connected");
            return false;
        case Kind::disconnected:
            if (connected_) hal_.log.warn("the connection is lost");
            connected_ = false;
            flying_.clear();
            outbox_.connection_lost();
            return false;
        case Kind::acknowledged:
            return land(event.id, true, now_us);
        case Kind::refused:
            hal_.log.warn("a message was refused");
            return land(event.id, false, now_us);
        case Kind::message:
            return false;
    }
    return false;
}

bool Courier::land(std::uint32_t id, bool acknowledged, std::int64_t now_us) {
    for (std::size_t i = 0; i < flying_.size(); ++i) {
        if (flying_[i].id != id) continue;
        // Refused: it will be refused for ever, and must not keep the rest from going.
        if (!acknowledged)
            outbox_.give_up(flying_[i].key);
        else if (!config_.stored_marks)
            outbox_.forget(flying_[i].key);
        flying_[i] = flying_[flying_.size() - 1];
        static_cast<void>(flying_.resize(flying_.size() - 1));
        // A broker whose site gives no marks, though it should: what it acknowledged must do.
        constexpr std::int64_t silence_us = 10'000'000;
        const bool silent = !mark_seen_ && now_us - connected_us_ > silence_us;
        if (!config_.stored_marks || silent) {
            Key before{.boot = last_sent_.boot, .seq = last_sent_.seq + 1};
            for (const Flying& flying : flying_)
                before = std::min(before, flying.key);
            outbox_.mark_landed(before);
        }
        return acknowledged;
    }
    return false;
}

void Courier::hear_mark(std::string_view payload) {
    const auto mark = wire::decode_stored(payload);
    if (!mark) return;
    mark_seen_ = true;
    outbox_.mark_stored({.boot = mark->boot, .seq = mark->seq}, mark->hold);
}

bool Courier::publish(std::int64_t now_us, Encoder& encoder) {
    if (!connected_) return false;
    const std::int64_t wait_us = std::int64_t{config_.stored_wait_ms} * 1000;
    const bool may_send = !config_.stored_marks || mark_seen_ || now_us - connected_us_ >= wait_us;
    if (!may_send) return false;
    static_cast<void>(
        outbox_.declare_gap(hal_.time.unix_ms(), now_us / 1000, std::int64_t{config_.gap_ms_max})
    );
    bool busy = false;
    const std::size_t window =
        std::min<std::size_t>(config_.in_flight_max, decltype(flying_)::capacity());
    for (std::uint32_t i = 0; i < config_.publishes_per_step && flying_.size() < window; ++i) {
        const auto item = outbox_.next(hal_.time.unix_ms());
        if (!item) break;
        std::string_view topic;
        const auto json = encoder.encode(*item, topic);
        if (!json) {  // cannot be: message_bytes_max holds every message
            hal_.log.warn("a message is too large for the wire");
            outbox_.give_up(item->key);
            continue;
        }
        const auto id = hal_.link.publish(topic, *json);
        if (!id) break;
        outbox_.mark_sent(item->key);
        last_sent_ = item->key;
        static_cast<void>(flying_.push_back({.id = *id, .key = item->key}));
        busy = true;
    }
    return busy;
}

}  // namespace stator::node
