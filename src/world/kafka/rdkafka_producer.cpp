#include "world/kafka/rdkafka_producer.h"

#include <utility>

namespace stator::kafka {

namespace {

constexpr int farewell_ms = 100;

}  // namespace

Outcome<std::unique_ptr<Producer>> RealProducer::make(const Options& options) {
    std::unique_ptr<RealProducer> made{new RealProducer{options}};
    if (auto done = made->begin(); !done) return std::unexpected(done.error());
    return std::unique_ptr<Producer>{std::move(made)};
}

Outcome<void> RealProducer::begin() {
    auto settings = common_settings(options_);
    if (!settings) return std::unexpected(settings.error());
    settings->emplace_back("enable.idempotence", "true");
    settings->emplace_back("acks", "all");
    // Of two batches under way librdkafka takes the first for stored when the second is. On a new
    // partition that is not so: the first may have come before the broker knew that it leads it,
    // and a broker takes whatever number a producer that it does not know begins with
    // (KAFKA-15591; seen here: three records of a new topic, acknowledged and never there).
    settings->emplace_back("max.in.flight", "1");
    settings->emplace_back("compression.codec", "lz4");
    settings->emplace_back("partitioner", "murmur2_random");
    // No linger: librdkafka batches by itself under load, and a quiet site gets its record at once.
    settings->emplace_back("linger.ms", "0");
    // Kafka may be away for an hour: the log keeps what is not acknowledged, not this queue.
    settings->emplace_back("message.timeout.ms", "0");
    settings->emplace_back("queue.buffering.max.messages", std::to_string(options_.queue_max));
    settings->emplace_back(
        "queue.buffering.max.kbytes", std::to_string(options_.queue_bytes_max / 1024)
    );
    auto conf = configure(*settings, *this);
    if (!conf) return std::unexpected(conf.error());
    std::string why;
    if ((*conf)->set("dr_cb", static_cast<RdKafka::DeliveryReportCb*>(this), why) !=
        RdKafka::Conf::CONF_OK)
        return fail(base::Fault::bad_input, "kafka: " + why);
    producer_.reset(RdKafka::Producer::create(conf->get(), why));
    if (!producer_) return fail(base::Fault::bad_input, "kafka: " + why);
    spent_ = false;
    return {};
}

// Nobody waits here for the brokers: whoever produced a record still has it, and hears `again`.
void RealProducer::end() {
    if (!producer_) return;
    (void)producer_->purge(RdKafka::Producer::PURGE_QUEUE | RdKafka::Producer::PURGE_INFLIGHT);
    (void)producer_->flush(farewell_ms);
    producer_.reset();
    under_way_.clear([this](std::uint64_t id) {
        deliveries_.push_back({.id = id, .again = true, .reason = "kafka: the producer begins anew"}
        );
    });
}

// librdkafka can keep a partition's records for ever after its leader was killed. While the brokers
// are away it rightly waits; while they answer, a record this old is not on its way any more.
void RealProducer::look_for_a_stall() {
    const auto bound = std::chrono::milliseconds{options_.unanswered_ms_max};
    if (under_way_.empty() || !trouble_.text().empty()) return;
    if (Clock::now() - under_way_.oldest() < bound) return;
    spent_ = true;
    trouble_.set(
        "kafka: a record was unanswered for " + std::to_string(options_.unanswered_ms_max) +
        " ms though a broker is there: the producer begins anew"
    );
}

RealProducer::~RealProducer() {
    end();
}

Outcome<std::uint64_t> RealProducer::produce(const Record& record) {
    if (!producer_) return fail(base::Fault::again, trouble_.text());
    const std::uint64_t id = next_id_;
    std::unique_ptr<RdKafka::Headers> headers;
    if (!record.headers.empty()) {
        headers.reset(RdKafka::Headers::create());
        for (const auto& [name, value] : record.headers)
            (void)headers->add(name, value);
    }
    std::string value = record.value;  // copied by librdkafka, which takes no const
    const RdKafka::ErrorCode code = producer_->produce(
        record.topic,
        RdKafka::Topic::PARTITION_UA,
        RdKafka::Producer::RK_MSG_COPY,
        value.data(),
        value.size(),
        record.key.data(),
        record.key.size(),
        record.unix_ms,
        headers.get(),
        reinterpret_cast<void*>(id)  // NOLINT: an id travels through C
    );
    if (code == RdKafka::ERR__FATAL) {
        spent_ = true;
        return fail(base::Fault::again, "kafka: " + record.topic + ": begins anew");
    }
    if (code != RdKafka::ERR_NO_ERROR)
        return fail(fault_of(code), "kafka: " + record.topic + ": " + RdKafka::err2str(code));
    (void)headers.release();  // librdkafka owns them once produce() has succeeded
    ++next_id_;
    under_way_.add(id, Clock::now());
    return id;
}

std::vector<Delivery> RealProducer::poll(std::int64_t timeout_us) {
    if (producer_) (void)producer_->poll(static_cast<int>(timeout_us / 1000));
    look_for_a_stall();
    if (spent_ || !producer_) {
        end();
        if (auto done = begin(); !done) trouble_.set(done.error().what);
    }
    return std::exchange(deliveries_, {});
}

void RealProducer::dr_cb(RdKafka::Message& message) {
    const auto id = reinterpret_cast<std::uintptr_t>(message.msg_opaque());  // NOLINT
    (void)under_way_.take(id);
    Delivery delivery{.id = id, .stored = message.err() == RdKafka::ERR_NO_ERROR};
    if (delivery.stored) {
        trouble_.clear();
    } else {
        delivery.again = !is_final(message.err());
        delivery.reason = "kafka: " + message.topic_name() + ": " + message.errstr();
    }
    deliveries_.push_back(std::move(delivery));
}

void RealProducer::event_cb(RdKafka::Event& event) {
    trouble_.on_event(event);
    if (event.type() == RdKafka::Event::EVENT_ERROR && event.fatal()) spent_ = true;
}

}  // namespace stator::kafka
