// The Uplink forwards one class of the log to Kafka, and forgets a record only when Kafka has it.
//
// Records go out in order, keyed by their device, many in flight; the log's offset is committed up
// to the first that is not yet acknowledged. After a kill some go twice, with equal (device, boot,
// seq). What the bridge itself brought down never goes up again. Memory: at most in_flight_max
// records.
#pragma once

#include "store/stream/source.h"
#include "world/clock/clock.h"
#include "world/kafka/kafka.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace stator::bridge {

inline constexpr std::size_t in_flight_max = 20'000;

struct UplinkOptions {
    std::string site;               // marks our records, so that they do not come down again
    std::string own_id = "bridge";  // the bridge's MQTT client id
    std::map<std::string, std::string> topics;  // MQTT -> Kafka; others keep their name, '/' as '.'
};

struct UplinkCounts {
    std::uint64_t forwarded = 0;  // acknowledged by Kafka
    std::uint64_t refused = 0;    // Kafka will never take them: told, counted, passed over
    std::uint64_t bytes = 0;
    std::uint64_t missed_bytes = 0;
};

class Uplink {
  public:
    Uplink(
        std::unique_ptr<stream::Source> source, kafka::Producer& producer, UplinkOptions options
    );

    // Moves what can be moved without waiting; true when there was something.
    [[nodiscard]] Outcome<bool> step();
    // True when the delivery was one of ours.
    bool on_delivery(const kafka::Delivery& delivery);

    void wait(std::int64_t timeout_us) { source_->wait(timeout_us); }

    [[nodiscard]] const UplinkCounts& counts() const { return counts_; }

    [[nodiscard]] std::size_t in_flight() const { return sent_.size(); }

    [[nodiscard]] const std::string& last_refusal() const { return last_refusal_; }

  private:
    struct Sent {
        log::Offset next;
        std::uint64_t id = 0;  // 0: nothing to wait for
        std::size_t bytes = 0;
        bool done = false;
    };

    [[nodiscard]] Outcome<bool> send();
    [[nodiscard]] Outcome<bool> commit();
    [[nodiscard]] kafka::Record record_of(const log::Record& record) const;

    std::unique_ptr<stream::Source> source_;
    kafka::Producer& producer_;
    UplinkOptions options_;
    std::deque<log::Record> waiting_;       // taken, and not yet accepted by the producer
    std::deque<Sent> sent_;                 // in the log's order
    std::map<std::uint64_t, Sent*> by_id_;  // std::deque keeps addresses at push_back and pop_front
    UplinkCounts counts_;
    std::string last_refusal_;
};

}  // namespace stator::bridge
