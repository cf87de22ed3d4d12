#include "transport/bridge/uplink.h"

#include "store/stream/kafka_record.h"

#include <utility>

namespace stator::bridge {

Uplink::Uplink(
    std::unique_ptr<stream::Source> source, kafka::Producer& producer, UplinkOptions options
)
    : source_{std::move(source)}, producer_{producer}, options_{std::move(options)} {}

Uplink::Sent Uplink::to_send(log::Record record) const {
    if (record.sender == options_.own_id) return {.next = record.next, .state = State::done};
    const auto mapped = options_.topics.find(record.topic);
    std::string topic =
        mapped == options_.topics.end() ? stream::kafka_topic_of(record.topic) : mapped->second;
    const log::Offset next = record.next;
    return {
        .next = next, .record = stream::to_kafka(std::move(record), options_.site, std::move(topic))
    };
}

// False: the producer has no room now.
Outcome<bool> Uplink::produce(Sent& sent) {
    auto id = producer_.produce(sent.record);
    if (!id) {
        if (id.error().fault == base::Fault::full) return false;
        return std::unexpected(id.error());
    }
    sent.state = State::under_way;
    under_way_.add(*id, &sent);
    return true;
}

// Waits for every answer first: what follows in a partition fails with the first, and goes again
// behind it.
Outcome<bool> Uplink::send_again() {
    if (!under_way_.empty()) return false;
    for (Sent& sent : sent_) {
        if (sent.state != State::again) continue;
        auto accepted = produce(sent);
        if (!accepted) return accepted;
        if (!*accepted) return true;  // those behind it stay behind it
        ++counts_.again;
    }
    some_again_ = false;
    return true;
}

Outcome<bool> Uplink::take(std::size_t records_max) {
    auto taken = source_->take(records_max);
    if (!taken) return std::unexpected(taken.error());
    counts_.missed_bytes += source_->missed_bytes();
    for (log::Record& record : *taken)
        waiting_.push_back(to_send(std::move(record)));
    return !taken->empty();
}

Outcome<bool> Uplink::send() {
    if (some_again_) return send_again();
    bool worked = false;
    for (std::size_t n = 0; n < records_a_step; ++n) {
        if (sent_.size() >= in_flight_records_max || sent_bytes_ >= in_flight_bytes_max) break;
        if (waiting_.empty()) {
            auto taken = take(records_a_step - n);
            if (!taken) return taken;
            if (!*taken) break;
        }
        Sent& sent = sent_.emplace_back(std::move(waiting_.front()));
        if (sent.state != State::done) {
            auto accepted = produce(sent);
            if (!accepted && accepted.error().fault == base::Fault::bad_input) {
                refuse(sent, accepted.error().what);
            } else if (!accepted || !*accepted) {
                waiting_.front() = std::move(sent);
                sent_.pop_back();
                return accepted ? Outcome<bool>{worked} : accepted;
            }
        }
        sent_bytes_ += sent.record.value.size();
        waiting_.pop_front();
        ++counts_.taken;
        worked = true;
    }
    return worked;
}

Outcome<bool> Uplink::commit() {
    if (!done_) return false;
    if (auto committed = source_->commit(*done_); !committed)
        return std::unexpected(committed.error());
    done_.reset();
    return true;
}

void Uplink::forget_done() {
    while (!sent_.empty() && sent_.front().state == State::done) {
        done_ = sent_.front().next;
        sent_bytes_ -= sent_.front().record.value.size();
        sent_.pop_front();
    }
}

bool Uplink::on_delivery(const kafka::Delivery& delivery) {
    const std::optional<Sent*> found = under_way_.take(delivery.id);
    if (!found) return false;
    Sent& sent = **found;
    if (!delivery.stored && delivery.again) {
        sent.state = State::again;
        some_again_ = true;
        return true;
    }
    sent.state = State::done;
    if (delivery.stored) {
        ++counts_.forwarded;
        counts_.bytes += sent.record.value.size();
    } else {
        refuse(sent, delivery.reason);
    }
    forget_done();
    return true;
}

void Uplink::refuse(Sent& sent, const std::string& reason) {
    sent.state = State::done;
    ++counts_.refused;
    last_refusal_ = reason;
}

Outcome<bool> Uplink::step() {
    auto sent = send();
    forget_done();  // what was never to go up
    return sent;
}

}  // namespace stator::bridge
