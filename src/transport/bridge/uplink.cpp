#include "transport/bridge/uplink.h"

#include "store/stream/kafka_record.h"

#include <algorithm>

namespace stator::bridge {

namespace {

constexpr std::size_t take_at_once = 1000;

}  // namespace

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

Outcome<bool> Uplink::send() {
    bool worked = false;
    while (sent_.size() < in_flight_max) {
        if (waiting_.empty()) {
            auto taken = source_->take(std::min(take_at_once, in_flight_max - sent_.size()));
            if (!taken) return std::unexpected(taken.error());
            counts_.missed_bytes += source_->missed_bytes();
            if (taken->empty()) break;
            waiting_.assign(
                std::make_move_iterator(taken->begin()), std::make_move_iterator(taken->end())
            );
        }
        const log::Record& record = waiting_.front();
        Sent sent{.next = record.next, .bytes = record.payload.size()};
        if (record.sender == options_.own_id) {
            sent.done = true;
        } else {
            auto id = producer_.produce(record_of(record));
            if (!id) {
                if (id.error().fault == base::Fault::full) break;  // the producer is behind
                return std::unexpected(id.error());
            }
            sent.id = *id;
        }
        sent_.push_back(sent);
        if (sent.id != 0) by_id_[sent.id] = &sent_.back();
        waiting_.pop_front();
        worked = true;
    }
    return worked;
}

Outcome<bool> Uplink::commit() {
    log::Offset next;
    bool any = false;
    while (!sent_.empty() && sent_.front().done) {
        next = sent_.front().next;
        sent_.pop_front();
        any = true;
    }
    if (!any) return false;
    if (auto done = source_->commit(next); !done) return std::unexpected(done.error());
    return true;
}

bool Uplink::on_delivery(const kafka::Delivery& delivery) {
    const auto found = by_id_.find(delivery.id);
    if (found == by_id_.end()) return false;
    found->second->done = true;
    if (delivery.stored) {
        ++counts_.forwarded;
        counts_.bytes += found->second->bytes;
    } else {
        ++counts_.refused;
        last_refusal_ = delivery.reason;
    }
    by_id_.erase(found);
    return true;
}

Outcome<bool> Uplink::step() {
    auto sent = send();
    if (!sent) return sent;
    auto committed = commit();
    if (!committed) return committed;
    return *sent || *committed;
}

}  // namespace stator::bridge
