// RealKafka is the kafka door on librdkafka.
#pragma once

#include "world/kafka/kafka.h"

namespace stator::kafka {

class RealKafka final : public Kafka {
  public:
    [[nodiscard]] Outcome<std::unique_ptr<Producer>> producer(const Options& options) override;
    [[nodiscard]] Outcome<std::unique_ptr<Consumer>> consumer(const Options& options) override;
};

}  // namespace stator::kafka
