#include "world/kafka/rdkafka.h"

#include "world/kafka/rdkafka_consumer.h"
#include "world/kafka/rdkafka_producer.h"

namespace stator::kafka {

Outcome<std::unique_ptr<Producer>> RealKafka::producer(const Options& options) {
    return RealProducer::make(options);
}

Outcome<std::unique_ptr<Consumer>> RealKafka::consumer(const Options& options) {
    return RealConsumer::make(options);
}

}  // namespace stator::kafka
