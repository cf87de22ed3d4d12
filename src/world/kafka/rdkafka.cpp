#include "world/kafka/rdkafka.h"

#include <librdkafka/rdkafkacpp.h>

#include <algorithm>
#include <utility>

namespace stator::kafka {

namespace {

using Setting = std::pair<std::string, std::string>;

base::Fault fault_of(RdKafka::ErrorCode code) {
    if (code == RdKafka::ERR__QUEUE_FULL) return base::Fault::full;
    if (code == RdKafka::ERR_TOPIC_AUTHORIZATION_FAILED) return base::Fault::denied;
    return base::Fault::again;
}

std::vector<Setting> settings_of(const Options& options) {
    std::vector<Setting> settings{
        {"bootstrap.servers", options.brokers},
        {"client.id", "stator"},
        {"reconnect.backoff.ms", "100"},
        {"reconnect.backoff.max.ms", "5000"},
        {"log.connection.close", "false"}
    };
    const Credentials& who = options.credentials;
    const bool tls = !who.ca_file.empty();
    if (tls) settings.emplace_back("ssl.ca.location", who.ca_file);
    if (!who.certificate_file.empty()) {
        settings.emplace_back("ssl.certificate.location", who.certificate_file);
        settings.emplace_back("ssl.key.location", who.key_file);
    }
    if (!who.scram_user.empty()) {
        settings.emplace_back("sasl.mechanisms", "SCRAM-SHA-512");
        settings.emplace_back("sasl.username", who.scram_user);
        settings.emplace_back("sasl.password", who.scram_password);
    }
    const bool sasl = !who.scram_user.empty();
    if (tls || sasl)
        settings.emplace_back(
            "security.protocol", tls && sasl ? "sasl_ssl" : (tls ? "ssl" : "sasl_plaintext")
        );
    return settings;
}

Outcome<std::unique_ptr<RdKafka::Conf>> configure(const std::vector<Setting>& settings) {
    std::unique_ptr<RdKafka::Conf> conf{RdKafka::Conf::create(RdKafka::Conf::CONF_GLOBAL)};
    for (const auto& [key, value] : settings) {
        std::string why;
        if (conf->set(key, value, why) != RdKafka::Conf::CONF_OK)
            return fail(base::Fault::bad_input, "kafka: " + key + ": " + why);
    }
    return conf;
}

class RealProducer final : public Producer, RdKafka::DeliveryReportCb, RdKafka::EventCb {
  public:
    static Outcome<std::unique_ptr<Producer>> make(const Options& options) {
        std::unique_ptr<RealProducer> made{new RealProducer{}};
        std::vector<Setting> settings = settings_of(options);
        settings.emplace_back("enable.idempotence", "true");
        settings.emplace_back("acks", "all");
        settings.emplace_back("compression.codec", "lz4");
        // No linger: librdkafka batches by itself under load, and a quiet site gets its record at
        // once.
        settings.emplace_back("linger.ms", "0");
        // Kafka may be away for an hour: the log keeps what is not acknowledged, not this queue.
        settings.emplace_back("message.timeout.ms", "0");
        settings.emplace_back("queue.buffering.max.messages", std::to_string(options.queue_max));
        settings.emplace_back(
            "queue.buffering.max.kbytes", std::to_string(options.queue_bytes_max / 1024)
        );
        auto conf = configure(settings);
        if (!conf) return std::unexpected(conf.error());
        std::string why;
        if ((*conf)->set("dr_cb", static_cast<RdKafka::DeliveryReportCb*>(made.get()), why) !=
                RdKafka::Conf::CONF_OK ||
            (*conf)->set("event_cb", static_cast<RdKafka::EventCb*>(made.get()), why) !=
                RdKafka::Conf::CONF_OK)
            return fail(base::Fault::bad_input, "kafka: " + why);
        made->producer_.reset(RdKafka::Producer::create(conf->get(), why));
        if (!made->producer_) return fail(base::Fault::bad_input, "kafka: " + why);
        return std::unique_ptr<Producer>{std::move(made)};
    }

    ~RealProducer() override {
        // What is unacknowledged stays in the log: nobody waits for it here.
        if (producer_) {
            (void
            )producer_->purge(RdKafka::Producer::PURGE_QUEUE | RdKafka::Producer::PURGE_INFLIGHT);
            (void)producer_->flush(100);
        }
    }

    RealProducer(const RealProducer&) = delete;
    RealProducer& operator=(const RealProducer&) = delete;

    Outcome<std::uint64_t> produce(const Record& record) override {
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
        if (code != RdKafka::ERR_NO_ERROR)
            return fail(fault_of(code), "kafka: " + record.topic + ": " + RdKafka::err2str(code));
        (void)headers.release();  // librdkafka owns them once produce() has succeeded
        ++next_id_;
        return id;
    }

    std::vector<Delivery> poll(std::int64_t timeout_us) override {
        (void)producer_->poll(static_cast<int>(timeout_us / 1000));
        return std::exchange(deliveries_, {});
    }

    [[nodiscard]] std::string trouble() const override { return trouble_; }

  private:
    RealProducer() = default;

    void dr_cb(RdKafka::Message& message) override {
        const auto id = reinterpret_cast<std::uintptr_t>(message.msg_opaque());  // NOLINT
        const bool stored = message.err() == RdKafka::ERR_NO_ERROR;
        if (stored) trouble_.clear();
        deliveries_.push_back(
            {.id = id, .stored = stored, .reason = stored ? std::string{} : message.errstr()}
        );
    }

    void event_cb(RdKafka::Event& event) override {
        if (event.type() == RdKafka::Event::EVENT_ERROR) trouble_ = event.str();
    }

    std::unique_ptr<RdKafka::Producer> producer_;
    std::vector<Delivery> deliveries_;
    std::string trouble_;
    std::uint64_t next_id_ = 1;
};

class RealConsumer final : public Consumer {
  public:
    static Outcome<std::unique_ptr<Consumer>> make(const Options& options) {
        std::unique_ptr<RealConsumer> made{new RealConsumer{}};
        std::vector<Setting> settings = settings_of(options);
        settings.emplace_back("group.id", options.group);
        settings.emplace_back("enable.auto.commit", "false");
        settings.emplace_back("auto.offset.reset", "earliest");
        settings.emplace_back("allow.auto.create.topics", "true");
        settings.emplace_back("topic.metadata.refresh.interval.ms", "5000");
        auto conf = configure(settings);
        if (!conf) return std::unexpected(conf.error());
        std::string why;
        made->consumer_.reset(RdKafka::KafkaConsumer::create(conf->get(), why));
        if (!made->consumer_) return fail(base::Fault::bad_input, "kafka: " + why);
        const RdKafka::ErrorCode code = made->consumer_->subscribe(options.topics);
        if (code != RdKafka::ERR_NO_ERROR)
            return fail(fault_of(code), "kafka: subscribe: " + RdKafka::err2str(code));
        return std::unique_ptr<Consumer>{std::move(made)};
    }

    ~RealConsumer() override {
        if (consumer_) (void)consumer_->close();
    }

    RealConsumer(const RealConsumer&) = delete;
    RealConsumer& operator=(const RealConsumer&) = delete;

    Outcome<std::vector<Record>> take(std::size_t records_max, std::int64_t timeout_us) override {
        std::vector<Record> made;
        while (made.size() < records_max) {
            const int timeout_ms = made.empty() ? static_cast<int>(timeout_us / 1000) : 0;
            const std::unique_ptr<RdKafka::Message> message{consumer_->consume(timeout_ms)};
            if (message->err() == RdKafka::ERR__TIMED_OUT) break;
            if (message->err() == RdKafka::ERR__PARTITION_EOF) continue;
            if (message->err() == RdKafka::ERR_UNKNOWN_TOPIC_OR_PART) break;
            if (message->err() != RdKafka::ERR_NO_ERROR) {
                if (!made.empty()) break;
                return fail(fault_of(message->err()), "kafka: " + message->errstr());
            }
            made.push_back(record_of(*message));
        }
        return made;
    }

    Outcome<void> commit(const Record& record) override {
        const std::unique_ptr<RdKafka::TopicPartition> place{
            RdKafka::TopicPartition::create(record.topic, record.partition, record.offset + 1)
        };
        std::vector<RdKafka::TopicPartition*> places{place.get()};
        const RdKafka::ErrorCode code = consumer_->commitSync(places);
        if (code != RdKafka::ERR_NO_ERROR)
            return fail(fault_of(code), "kafka: commit: " + RdKafka::err2str(code));
        return {};
    }

  private:
    RealConsumer() = default;

    static Record record_of(const RdKafka::Message& message) {
        Record record;
        record.topic = message.topic_name();
        if (const std::string* key = message.key()) record.key = *key;
        const auto* bytes = static_cast<const char*>(message.payload());
        if (bytes != nullptr) record.value.assign(bytes, message.len());
        record.partition = message.partition();
        record.offset = message.offset();
        record.unix_ms = message.timestamp().timestamp;
        if (const RdKafka::Headers* headers =
                const_cast<RdKafka::Message&>(message).headers())  // NOLINT: no const accessor
            for (const RdKafka::Headers::Header& header : headers->get_all())
                record.headers[header.key()] =
                    std::string{static_cast<const char*>(header.value()), header.value_size()};
        return record;
    }

    std::unique_ptr<RdKafka::KafkaConsumer> consumer_;
};

}  // namespace

Outcome<std::unique_ptr<Producer>> RealKafka::producer(const Options& options) {
    return RealProducer::make(options);
}

Outcome<std::unique_ptr<Consumer>> RealKafka::consumer(const Options& options) {
    return RealConsumer::make(options);
}

}  // namespace stator::kafka
