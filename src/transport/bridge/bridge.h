// The Bridge joins a site's log with Kafka: everything goes up, control and level-2 alerts come
// down.
//
// It reads every class of the log as a durable reader called "bridge": required for telemetry,
// alarm and control, so that nothing of these is deleted before Kafka has it; waveforms are sent as
// long as the log keeps them. Kafka away: the log holds what comes, within its byte budget; how
// many days that lasts is a metric, and stands in the journal when Kafka goes. Back: the backlog of
// telemetry goes in pieces, and alarms and control before each of them, through a producer of their
// own.
#pragma once

#include "store/stream/source.h"
#include "transport/bridge/downlink.h"
#include "transport/bridge/uplink.h"
#include "world/doors/doors.h"
#include "world/kafka/kafka.h"
#include "world/metrics/metrics.h"

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace stator::bridge {

struct Options {
    std::string site;
    std::string log_directory;  // whose budget and rate say how long Kafka may be away
    kafka::Options kafka;       // brokers and credentials; the rest is the bridge's
    mqtt::Options mqtt;
    std::map<std::string, std::string> up_topics;    // MQTT -> Kafka, where the names differ
    std::map<std::string, std::string> down_topics;  // Kafka -> MQTT
};

// The readers that pin the log while a site has a bridge: "bridge:telemetry,...", for the gate.
[[nodiscard]] std::string required_readers();

class Bridge {
  public:
    // `stream` is the log's and outlives the Bridge, as do the doors.
    [[nodiscard]] static Outcome<std::unique_ptr<Bridge>> make(
        doors::Doors& doors, kafka::Kafka& kafka, stream::Stream& stream, Options options
    );

    // True when there was something to do.
    [[nodiscard]] Outcome<bool> step();
    void wait(std::int64_t timeout_us);

    [[nodiscard]] const metrics::Metrics& metrics();
    // One sentence: how the bridge is.
    [[nodiscard]] std::string status() const;

  private:
    struct Lane {  // one class
        log::Class log_class = log::Class::telemetry;
        std::unique_ptr<Uplink> uplink;
        UplinkCounts told;          // what the metrics have
        std::uint64_t refused = 0;  // what the journal has
        std::uint64_t lag_bytes = 0;
        double autonomy_days = -1;  // negative: not known
    };

    Bridge(doors::Doors& doors, Options options);

    void hear_kafka();
    void tell_refusals(Lane& lane);
    void look_around();
    [[nodiscard]] std::uint64_t taken() const;
    // How long the log may fill before the next turn, after one at `now_us` that took so many.
    [[nodiscard]] std::int64_t until_next_turn_us(std::int64_t now_us, std::uint64_t taken);
    [[nodiscard]] Uplink& telemetry();

    doors::Doors& doors_;
    Options options_;
    std::unique_ptr<kafka::Producer> urgent_;  // alarms and control: never behind a backlog
    std::unique_ptr<kafka::Producer> bulk_;
    std::vector<Lane> lanes_;  // by urgency
    std::unique_ptr<mqtt::Client> client_;
    std::unique_ptr<Downlink> downlink_;
    DownlinkCounts down_told_;
    metrics::Metrics metrics_;
    std::string trouble_;
    std::int64_t looked_us_ = 0;
    std::int64_t committed_us_ = 0;
    std::int64_t turned_us_ = 0;
    std::int64_t next_turn_us_ = 0;
    double lately_ = 0;  // records that the last moments brought; a leaky count
};

}  // namespace stator::bridge
