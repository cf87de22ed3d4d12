#include "transport/bridge/uplink.h"

#include "store/stream/kafka_record.h"

#include <algorithm>
#include <iterator>

namespace stator::bridge {

Uplink::Uplink(
    std::unique_ptr<stream::Source> source, kafka::Producer& producer, UplinkOptions options
)
    : source_{std::move(source)}, producer_{producer}, options_{std::move(options)} {}

kafka::Record Uplink::record_of(const log::Record& record) const {
    const auto mapped = options_.topics.find(record.topic);
    return stream::to_kafka(
        record,
        options_.site,
        mapped == options_.topics.end() ? stream::kafka_topic_of(record.topic) : mapped->second
    );
}

// False: the producer has no room now.
Outcome<bool> Uplink::produce(Sent& sent) {
    auto id = producer_.produce(sent.record);
    if (!id) {
        if (id.error().fault == base::Fault::full) return false;
        return std::unexpected(id.error());
    }
    sent.id = *id;
    sent.state = State::under_way;
    by_id_[sent.id] = &sent;
    return true;
}

// Waits for every answer first: what follows in a partition fails with the first, and goes again
// behind it.
Outcome<bool> Uplink::send_again() {
    if (!by_id_.empty()) return false;
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

Outcome<bool> Uplink::send() {
    if (some_again_) return send_again();
    bool worked = false;
    for (std::size_t n = 0; n < records_a_step; ++n) {
        if (sent_.size() >= in_flight_records_max || sent_bytes_ >= in_flight_bytes_max) break;
        if (waiting_.empty()) {
            auto taken = source_->take(records_a_step - n);
            if (!taken) return std::unexpected(taken.error());
            counts_.missed_bytes += source_->missed_bytes();
            if (taken->empty()) break;
            waiting_.assign(
                std::make_move_iterator(taken->begin()), std::make_move_iterator(taken->end())
            );
        }
        const log::Record& record = waiting_.front();
        Sent& sent = sent_.emplace_back(Sent{.next = record.next});
        if (record.sender == options_.own_id) {
            sent.state = State::done;
        } else {
            sent.record = record_of(record);
            auto accepted = produce(sent);
            if (!accepted && accepted.error().fault == base::Fault::bad_input) {
                refuse(sent, accepted.error().what);
            } else if (!accepted || !*accepted) {
                sent_.pop_back();
                return accepted ? Outcome<bool>{worked} : accepted;
            }
            sent_bytes_ += sent.record.value.size();
        }
        waiting_.pop_front();
        ++counts_.taken;
        worked = true;
    }
    return worked;
}

Outcome<bool> Uplink::commit() {
    std::size_t done = 0;
    while (done < sent_.size() && sent_[done].state == State::done)
        ++done;
    if (done == 0) return false;
    if (auto committed = source_->commit(sent_[done - 1].next); !committed)
        return std::unexpected(committed.error());
    for (std::size_t i = 0; i < done; ++i) {
        sent_bytes_ -= sent_.front().record.value.size();
        sent_.pop_front();
    }
    return true;
}

bool Uplink::on_delivery(const kafka::Delivery& delivery) {
    const auto found = by_id_.find(delivery.id);
    if (found == by_id_.end()) return false;
    Sent& sent = *found->second;
    by_id_.erase(found);
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
    return true;
}

void Uplink::refuse(Sent& sent, const std::string& reason) {
    sent.state = State::done;
    ++counts_.refused;
    last_refusal_ = reason;
}

Outcome<bool> Uplink::step() {
    // What is known to be in Kafka is committed even when nothing more can be sent.
    auto committed = commit();
    if (!committed) return committed;
    auto sent = send();
    if (!sent) return sent;
    return *sent || *committed;
}

}  // namespace stator::bridge
