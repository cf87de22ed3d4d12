#include "sense/session/mqtt_session.h"

#include <algorithm>
#include <cstring>

namespace stator::session {
namespace {

using base::Fault;
using base::Result;
using Kind = hal::LinkEvent::Kind;

constexpr std::int64_t backoff_us_min = 100'000;
constexpr std::int64_t backoff_us_max = 10'000'000;
constexpr std::int64_t reach_us_max = 30'000'000;
constexpr std::uint8_t keep_alive_s = 30;
constexpr std::int64_t ping_us = 10'000'000;
constexpr std::int64_t silence_us_max = 30'000'000;
constexpr std::size_t record_bytes_max = 1024;  // one TLS record: it is encrypted in one go
constexpr std::uint8_t refused_from = 0x80;     // reason codes

std::size_t u16(std::span<const std::uint8_t> at) {
    return std::size_t{at[0]} << 8U | at[1];
}

// A variable byte integer in front of `rest`, taken off; false when it is not whole.
bool take_length(std::span<const std::uint8_t>& rest, std::size_t& value) {
    value = 0;
    for (unsigned i = 0; i < 4 && i < rest.size(); ++i) {
        value |= std::size_t{rest[i]} % 128 << 7U * i;
        if (rest[i] >= 128) continue;
        rest = rest.subspan(i + 1);
        return true;
    }
    return false;
}

}  // namespace

void MqttSession::put_u16(std::size_t value) {
    put(static_cast<std::uint8_t>(value >> 8U));
    put(static_cast<std::uint8_t>(value & 0xFFU));
}

void MqttSession::put_text(std::string_view text) {
    put_u16(text.size());
    std::memcpy(&out_[out_bytes_], text.data(), text.size());
    out_bytes_ += text.size();
}

void MqttSession::put_length(std::size_t value) {
    for (; value >= 128; value /= 128)
        put(static_cast<std::uint8_t>(value % 128 + 128));
    put(static_cast<std::uint8_t>(value));
}

Result<void> MqttSession::subscribe(std::string_view topic) {
    if (!topics_.push_back(wire::Topic{topic})) return std::unexpected{Fault::full};
    return {};
}

Result<std::uint32_t> MqttSession::publish(std::string_view topic, std::string_view payload) {
    if (phase_ != Phase::open) return std::unexpected{Fault::again};
    const std::size_t bytes = 2 + topic.size() + 2 + 1 + payload.size();
    if (bytes + 4 > room()) return std::unexpected{Fault::full};
    last_id_ = static_cast<std::uint16_t>(last_id_ % 0xFFFF + 1);
    put(0x32);  // QoS 1
    put_length(bytes);
    put_text(topic);
    put_u16(last_id_);
    put(0);  // no properties
    std::memcpy(&out_[out_bytes_], payload.data(), payload.size());
    out_bytes_ += payload.size();
    return last_id_;
}

void MqttSession::reach() {
    const std::int64_t now = time_.monotonic_us();
    if (now < next_us_) return;
    in_bytes_ = out_bytes_ = heard_ = writing_ = 0;
    broken_ = false;
    if (socket_.connect(server_)) {
        phase_ = Phase::reaching;
        next_us_ = now + reach_us_max;
    } else {
        reason_ = socket_.reason().empty() ? "no clock yet" : socket_.reason();
        next_us_ = now + backoff_us_min;
    }
}

// True when there was a connection, and the event says that it is gone.
bool MqttSession::lose(std::string_view why, hal::LinkEvent& event) {
    const bool was_open = phase_ == Phase::open;
    reason_ = why;
    socket_.close();
    phase_ = Phase::waiting;
    const std::int64_t pause =
        std::min(backoff_us_min << std::min(failures_, std::uint32_t{7}), backoff_us_max);
    ++failures_;
    const auto jitter = static_cast<std::int64_t>(entropy_.next() % 1024U) * (pause / 2) / 1024;
    next_us_ = time_.monotonic_us() + pause / 2 + jitter;
    event = {};
    event.kind = Kind::disconnected;
    event.payload = reason_;
    return was_open;
}

void MqttSession::greet() {
    const std::uint8_t properties = kept_s_ == 0 ? 3 + 5 : 3 + 5 + 5;
    put(0x10);
    put_length(10 + 1 + properties + 2 + id_.size());
    put_text("MQTT");
    put(5);
    put(kept_s_ == 0 ? 2 : 0);  // a clean start: what waits to be sent is the outbox's
    put_u16(keep_alive_s);
    put(properties);
    put(0x21);  // receive maximum
    put_u16(4);
    put(0x27);  // maximum packet size
    put_u16(0);
    put_u16(in_.size());
    if (kept_s_ != 0) {
        put(0x11);  // session expiry
        put_u16(kept_s_ >> 16U);
        put_u16(kept_s_ & 0xFFFFU);
    }
    put_text(id_);
    phase_ = Phase::greeting;
    said_us_ = heard_us_ = time_.monotonic_us();
}

void MqttSession::ask_for_topics() {
    std::size_t bytes = 3;
    for (const wire::Topic& topic : topics_)
        bytes += 2 + topic.size() + 1;
    put(0x82);
    put_length(bytes);
    last_id_ = static_cast<std::uint16_t>(last_id_ % 0xFFFF + 1);
    put_u16(last_id_);
    put(0);
    for (const wire::Topic& topic : topics_) {
        put_text(topic.view());
        put(1);  // QoS 1
    }
}

bool MqttSession::flush() {
    while (out_bytes_ > 0) {
        if (writing_ == 0) writing_ = std::min(out_bytes_, record_bytes_max);
        const auto done = socket_.write(std::span{out_}.first(writing_));
        if (!done) return false;
        if (*done == 0) return true;
        writing_ = 0;  // it says what it took, which may be less
        out_bytes_ -= *done;
        std::memmove(out_.data(), &out_[*done], out_bytes_);
        said_us_ = time_.monotonic_us();
    }
    return true;
}

bool MqttSession::read_more() {
    // Full while nothing can be answered: to TLS a read of nothing is the end of the connection.
    if (in_bytes_ == in_.size()) return true;
    const auto got = socket_.read(std::span{in_}.subspan(in_bytes_));
    if (!got) return false;
    if (*got == 0) return true;
    in_bytes_ += *got;
    heard_us_ = time_.monotonic_us();
    return true;
}

void MqttSession::keep_alive() {
    if (time_.monotonic_us() - said_us_ < ping_us || room() < 2) return;
    put(0xC0);
    put(0);
}

void MqttSession::drop_heard() {
    if (heard_ == 0) return;
    in_bytes_ -= heard_;
    std::memmove(in_.data(), &in_[heard_], in_bytes_);
    heard_ = 0;
}

std::size_t MqttSession::packet(std::span<const std::uint8_t>& body) {
    if (in_bytes_ < 2) return 0;
    auto rest = std::span<const std::uint8_t>{in_.first(in_bytes_)}.subspan(1);
    std::size_t bytes = 0;
    if (!take_length(rest, bytes)) {
        broken_ = in_bytes_ > 5;
        return 0;
    }
    const std::size_t head = in_bytes_ - rest.size();
    broken_ = bytes > in_.size() - head;
    if (bytes > rest.size()) return 0;
    body = rest.first(bytes);
    return head + bytes;
}

bool MqttSession::hear_publish(
    std::uint8_t head, std::span<const std::uint8_t> body, hal::LinkEvent& event
) {
    const unsigned qos = head >> 1U & 3U;
    const std::size_t topic_bytes = body.size() < 2 ? 0 : u16(body);
    const std::size_t before = 2 + topic_bytes + (qos > 0 ? 2 : 0);
    broken_ = qos > 1 || body.size() < before + 1;
    if (broken_) return false;
    event.topic = {reinterpret_cast<const char*>(body.data()) + 2, topic_bytes};
    auto rest = body.subspan(before);
    std::size_t properties = 0;
    broken_ = !take_length(rest, properties) || properties > rest.size();
    if (broken_) return false;
    rest = rest.subspan(properties);
    event.kind = Kind::message;
    event.payload = {reinterpret_cast<const char*>(rest.data()), rest.size()};
    if (qos == 0) return true;
    put(0x40);
    put(2);
    put_u16(u16(body.subspan(before - 2)));
    return true;
}

bool MqttSession::hear(
    std::uint8_t head, std::span<const std::uint8_t> body, hal::LinkEvent& event
) {
    event = {};
    switch (head >> 4U) {
        case 2:  // CONNACK
            broken_ = phase_ != Phase::greeting || body.size() < 2 || body[1] != 0;
            if (broken_) {
                reason_ = "the broker lets us not in";
                return false;
            }
            phase_ = Phase::open;
            failures_ = 0;
            reason_ = {};
            ask_for_topics();
            event.kind = Kind::connected;
            return true;
        case 3:
            return hear_publish(head, body, event);
        case 4:  // PUBACK
            broken_ = body.size() < 2;
            if (broken_) return false;
            event.id = static_cast<std::uint32_t>(u16(body));
            event.kind =
                body.size() > 2 && body[2] >= refused_from ? Kind::refused : Kind::acknowledged;
            return true;
        case 9:  // SUBACK
            if (body.size() > 3 && std::ranges::any_of(body.subspan(3), [](std::uint8_t code) {
                    return code >= refused_from;
                }))
                reason_ = "the broker refuses a subscription";
            return false;
        case 14:  // DISCONNECT
            broken_ = true;
            return false;
        default:
            return false;
    }
}

bool MqttSession::poll(hal::LinkEvent& event) {
    drop_heard();
    if (phase_ == Phase::waiting) {
        reach();
        return false;
    }
    const auto state = socket_.step();
    if (state == Socket::State::closed) return lose(socket_.reason(), event);
    if (phase_ != Phase::open && time_.monotonic_us() >= next_us_)
        return lose("no answer from the broker", event);
    if (state != Socket::State::open) return false;
    if (phase_ == Phase::reaching) greet();
    keep_alive();
    if (!flush()) return lose(socket_.reason(), event);
    if (!read_more()) return lose(socket_.reason(), event);
    constexpr std::size_t answer_bytes = 4;
    constexpr int packets_max = 8;
    for (int i = 0; i < packets_max && room() >= answer_bytes; ++i) {
        std::span<const std::uint8_t> body;
        heard_ = packet(body);
        const bool told = heard_ > 0 && hear(in_[0], body, event);
        if (broken_) return lose(reason_.empty() ? "the broker ended it" : reason_, event);
        if (told) return true;
        if (heard_ == 0) break;
        drop_heard();
    }
    if (time_.monotonic_us() - heard_us_ > silence_us_max)
        return lose("the broker is silent", event);
    return false;
}

}  // namespace stator::session
