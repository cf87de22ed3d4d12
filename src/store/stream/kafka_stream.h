// KafkaStream is the Stream on Kafka: its Sources read a class's topics as a group of their own.
//
// The group is `<site>.<reader>.<class>`, so every consumer has its own place; a reader is a named
// member of it, so one that was killed goes on at once where its last commit stood. An Offset is a
// place in one Source's life, in the order in which it took the records; commit() tells Kafka by
// and by, so a kill may bring some records again: consumers know them by (device, boot, seq).
// Kafka keeps records by its own rules and is pinned by nobody: `required` changes nothing here.
// Brokers that are away mean nothing to take, not an error.
#pragma once

#include "store/stream/source.h"
#include "world/kafka/kafka.h"

#include <array>
#include <map>
#include <string>
#include <vector>

namespace stator::stream {

struct KafkaStreamOptions {
    kafka::Options connection;  // brokers and credentials; the rest is the stream's
    std::string site;
    std::array<std::vector<std::string>, log::class_count> topics;  // Kafka's names, by class
    // Kafka's name -> ours on MQTT, whatever a record's header says: other sites and strangers name
    // them otherwise. What is not here has the header's.
    std::map<std::string, std::string> mqtt_topics;
};

class KafkaStream final : public Stream {
  public:
    KafkaStream(kafka::Kafka& kafka, KafkaStreamOptions options)
        : kafka_{kafka}, options_{std::move(options)} {}

    [[nodiscard]] Outcome<std::unique_ptr<Source>> open(
        log::Class log_class, const ReaderOptions& options
    ) override;

  private:
    kafka::Kafka& kafka_;
    KafkaStreamOptions options_;
};

}  // namespace stator::stream
