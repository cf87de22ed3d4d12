// RealProducer is a Producer on librdkafka.
//
// A fault that ends a librdkafka producer for good (its idempotence lost) does not end this one,
// nor does one that never answers: it begins a new one, and what was under way is delivered with
// `again`, in order.
#pragma once

#include "world/kafka/rdkafka_settings.h"
#include "world/kafka/under_way.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace stator::kafka {

class RealProducer final : public Producer, RdKafka::DeliveryReportCb, RdKafka::EventCb {
  public:
    [[nodiscard]] static Outcome<std::unique_ptr<Producer>> make(const Options& options);
    ~RealProducer() override;
    RealProducer(const RealProducer&) = delete;
    RealProducer& operator=(const RealProducer&) = delete;

    [[nodiscard]] Outcome<std::uint64_t> produce(const Record& record) override;
    [[nodiscard]] std::vector<Delivery> poll(std::int64_t timeout_us) override;

    [[nodiscard]] std::string trouble() const override { return trouble_.text(); }

  private:
    using Clock = std::chrono::steady_clock;

    explicit RealProducer(const Options& options) : options_{options} {}

    [[nodiscard]] Outcome<void> begin();
    void end();
    void look_for_a_stall();
    void dr_cb(RdKafka::Message& message) override;
    void event_cb(RdKafka::Event& event) override;

    Options options_;
    std::unique_ptr<RdKafka::Producer> producer_;
    UnderWay<Clock::time_point> under_way_;
    std::vector<Delivery> deliveries_;
    Trouble trouble_;
    std::uint64_t next_id_ = 1;
    bool spent_ = false;
};

}  // namespace stator::kafka
