#include "sense/port/host/mqtt_link.h"

#include "world/mqtt/backoff.h"

#include <utility>

namespace stator::host {
namespace {

constexpr std::int64_t backoff_us_min = 100'000;
constexpr std::int64_t backoff_us_max = 10'000'000;

}  // namespace

using base::Fault;
using base::Result;

MqttLink::MqttLink(
    mqtt::Mqtt& mqtt, clock::Clock& clock, chance::Chance& chance, mqtt::Options options
)
    : mqtt_{mqtt}, clock_{clock}, chance_{chance}, options_{std::move(options)} {
    options_.reconnect = false;
    options_.clean_session = true;
}

Result<void> MqttLink::subscribe(std::string_view topic) {
    topics_.emplace_back(topic);
    if (client_ && !client_->subscribe(topics_.back(), 1)) return std::unexpected{Fault::bad_input};
    return {};
}

Result<std::uint32_t> MqttLink::publish(std::string_view topic, std::string_view payload) {
    if (!client_ || !client_->connected()) return std::unexpected{Fault::again};
    const auto id = client_->publish({std::string{topic}, std::string{payload}, 1, false});
    if (!id) return std::unexpected{id.error().fault};
    return static_cast<std::uint32_t>(*id);
}

void MqttLink::connect() {
    auto client = mqtt_.connect(options_);
    if (!client) {
        reason_ = client.error().what;
        attempt_us_ = clock_.monotonic_us() +
                      mqtt::backoff_us(++failures_, backoff_us_min, backoff_us_max, chance_);
        return;
    }
    client_ = *std::move(client);
    for (const auto& topic : topics_)
        if (auto subscribed = client_->subscribe(topic, 1); !subscribed)
            reason_ = subscribed.error().what;
}

bool MqttLink::poll(hal::LinkEvent& event) {
    if (!client_ && events_.empty() && clock_.monotonic_us() >= attempt_us_) connect();
    if (client_ && events_.empty())
        for (auto& arrived : client_->poll())
            events_.push_back(std::move(arrived));
    if (events_.empty()) return false;
    current_ = std::move(events_.front());
    events_.pop_front();
    using From = mqtt::Event::Kind;
    using To = hal::LinkEvent::Kind;
    event = {};
    event.id = static_cast<std::uint32_t>(current_.id);
    switch (current_.kind) {
        case From::connected:
            event.kind = To::connected;
            failures_ = 0;
            break;
        case From::disconnected:
            event.kind = To::disconnected;
            event.payload = reason_ = current_.reason;
            client_.reset();
            events_.clear();
            attempt_us_ = clock_.monotonic_us() +
                          mqtt::backoff_us(++failures_, backoff_us_min, backoff_us_max, chance_);
            break;
        case From::acknowledged:
            event.kind = To::acknowledged;
            break;
        case From::refused:
            event.kind = To::refused;
            event.payload = current_.reason;
            break;
        case From::message:
            event.kind = To::message;
            event.topic = current_.message.topic;
            event.payload = current_.message.payload;
            break;
    }
    return true;
}

void MqttLink::disconnect() {
    if (client_) client_->disconnect();
}

}  // namespace stator::host
