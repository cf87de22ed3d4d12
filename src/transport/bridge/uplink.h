// The Uplink forwards one class of the log to Kafka, and forgets a record only when Kafka has it.
//
// Records go out in order, keyed by their device, many in flight. commit() makes durable in the log
// that all before the first unacknowledged one is done; after a kill what went since then goes
// twice, with equal (device, boot, seq). What the bridge itself brought down never goes up again.
// What Kafka says it did not store, for a reason that passes, goes again with all that follows, in
// order; what it will never take (a record larger than it allows) is told, counted and passed over:
// the log still has it.
// Memory: in_flight_records_max records or in_flight_bytes_max payload bytes, whatever comes first.
#pragma once

#include "store/stream/source.h"
#include "world/kafka/kafka.h"
#include "world/kafka/under_way.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace stator::bridge {

inline constexpr std::size_t in_flight_records_max = 5'000;
inline constexpr std::size_t in_flight_bytes_max = 2U << 20U;

// So that no class of the log waits for long behind another.
inline constexpr std::size_t records_a_step = 1000;

struct UplinkOptions {
    std::string site;               // marks our records, so that they do not come down again
    std::string own_id = "bridge";  // the bridge's MQTT client id
    std::map<std::string, std::string> topics;  // MQTT -> Kafka; others: stream::kafka_topic_of()
};

struct UplinkCounts {
    std::uint64_t taken = 0;      // from the log
    std::uint64_t forwarded = 0;  // acknowledged by Kafka
    std::uint64_t bytes = 0;      // their payloads
    std::uint64_t again = 0;      // produced once more
    std::uint64_t refused = 0;    // Kafka will never take them
    std::uint64_t missed_bytes = 0;
};

class Uplink {
  public:
    Uplink(
        std::unique_ptr<stream::Source> source, kafka::Producer& producer, UplinkOptions options
    );

    // Moves what can be moved without waiting, a bounded piece at a time; true when there was
    // something. An error leaves everything in its place: call again later.
    [[nodiscard]] Outcome<bool> step();
    // False: nothing was acknowledged since the last one.
    [[nodiscard]] Outcome<bool> commit();
    // True when the delivery was one of ours.
    bool on_delivery(const kafka::Delivery& delivery);

    void wait(std::int64_t timeout_us) { source_->wait(timeout_us); }

    // Takes nothing more until Kafka has answered.
    [[nodiscard]] bool is_full() const {
        return some_again_ || !waiting_.empty() || sent_.size() >= in_flight_records_max ||
               sent_bytes_ >= in_flight_bytes_max;
    }

    [[nodiscard]] const UplinkCounts& counts() const { return counts_; }

    [[nodiscard]] std::size_t in_flight() const { return sent_.size(); }

    // Why Kafka refused a record for good, the last time; empty: it never did.
    [[nodiscard]] const std::string& last_refusal() const { return last_refusal_; }

  private:
    enum class State : std::uint8_t { under_way, again, done };

    struct Sent {
        log::Offset next;
        kafka::Record record;  // empty when it does not go up
        State state = State::under_way;
    };

    [[nodiscard]] Outcome<bool> send();
    [[nodiscard]] Outcome<bool> send_again();
    [[nodiscard]] Outcome<bool> take(std::size_t records_max);
    [[nodiscard]] Outcome<bool> produce(Sent& sent);
    void refuse(Sent& sent, const std::string& reason);
    [[nodiscard]] Sent to_send(log::Record record) const;
    void forget_done();

    std::unique_ptr<stream::Source> source_;
    kafka::Producer& producer_;
    UplinkOptions options_;
    std::deque<Sent> waiting_;  // taken, and not yet accepted by the producer
    std::deque<Sent> sent_;     // in the log's order, from the first that is not done
    // Into `sent_`: std::deque keeps its elements' addresses at push_back and pop_front.
    kafka::UnderWay<Sent*> under_way_;
    std::size_t sent_bytes_ = 0;
    std::optional<log::Offset> done_;  // all before it is, and is not committed
    bool some_again_ = false;
    UplinkCounts counts_;
    std::string last_refusal_;
};

}  // namespace stator::bridge
