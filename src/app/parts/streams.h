// Streams says what a consumer reads, as the site's configuration has it: the log here, or Kafka.
//
// `once` gives each numbered record once, and counts what came twice in `metrics`. It knows only
// what came since the start, so a consumer that keeps its own account over restarts (ingest, level
// 2, the sidecar) takes `inner`: what comes late is then told from what came before. What cannot
// work (an unknown word, a password file that cannot be read) is an Error that names the key.
#pragma once

#include "app/config/config.h"
#include "store/stream/mqtt_stream.h"
#include "store/stream/sequences.h"
#include "world/doors/doors.h"
#include "world/kafka/kafka.h"

#include <memory>
#include <string>

namespace stator::parts {

// How this site connects to Kafka.
[[nodiscard]] Outcome<kafka::Options> kafka_options(
    doors::Doors& doors, const config::Config& config
);

// Telemetry's name in Kafka. An Error names the key of one that Kafka does not take, or that is
// another topic's there.
[[nodiscard]] Outcome<std::string> kafka_data_topic(const config::Config& config);

struct Streams {
    metrics::Metrics metrics;
    std::unique_ptr<kafka::Kafka> kafka;  // real, or none: in the simulation all read the log
    std::unique_ptr<stream::Stream> inner;
    stream::MqttStream* heard = nullptr;  // `inner`, where that is what the consumer's client hears
    std::unique_ptr<stream::OnceStream> once;
};

// `choice` is "log" or "kafka", and "mqtt" for a consumer with `may_hear`; `key` the
// configuration's name for it.
[[nodiscard]] Outcome<std::unique_ptr<Streams>> make_streams(
    doors::Doors& doors,
    const config::Config& config,
    const std::string& key,
    const std::string& choice,
    bool may_hear = false
);

}  // namespace stator::parts
