#include "transport/adopt/intake.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <utility>

namespace stator::adopt {

namespace {

constexpr std::size_t records_at_once = 1000;

class MqttIntake final : public Intake {
  public:
    explicit MqttIntake(std::unique_ptr<mqtt::Reader> reader) : reader_{std::move(reader)} {}

    Outcome<std::vector<Incoming>> poll() override {
        std::vector<Incoming> made;
        for (mqtt::Delivered& it : reader_->poll())
            made.push_back(
                {.id = it.id,
                 .topic = std::move(it.message.topic),
                 .key = {},
                 .payload = std::move(it.message.payload),
                 .unix_ms = 0,
                 .place = fmt::format("{}", it.packet),
                 .repeated = it.duplicate,
                 .retained = it.message.retain}
            );
        return made;
    }

    void done(std::uint64_t id) override { reader_->acknowledge(id); }

    void wait(std::int64_t timeout_us) override { reader_->wait(timeout_us); }

    [[nodiscard]] bool connected() const override { return reader_->connected(); }

    [[nodiscard]] std::uint64_t sessions_lost() const override { return reader_->sessions_lost(); }

    [[nodiscard]] std::string trouble() const override { return reader_->trouble(); }

  private:
    std::unique_ptr<mqtt::Reader> reader_;
};

class KafkaIntake final : public Intake {
  public:
    KafkaIntake(std::unique_ptr<kafka::Consumer> consumer, std::size_t in_flight_max)
        : consumer_{std::move(consumer)}, in_flight_max_{in_flight_max} {}

    Outcome<std::vector<Incoming>> poll() override {
        std::vector<Incoming> made;
        const std::size_t room = in_flight_max_ - std::min(in_flight_max_, pending_.size());
        auto records = take(std::min(room, records_at_once), 0);
        if (!records) return std::unexpected(records.error());
        for (kafka::Record& record : *records) {
            Incoming it{
                .id = next_id_++,
                .topic = record.topic,
                .key = std::move(record.key),
                .payload = std::move(record.value),
                .unix_ms = record.unix_ms,
                .place = fmt::format("{}/{}/{}", record.topic, record.partition, record.offset),
                .repeated = true  // Kafka does not say
            };
            record.headers.clear();
            pending_.push_back({.id = it.id, .record = std::move(record)});
            made.push_back(std::move(it));
        }
        return made;
    }

    void done(std::uint64_t id) override {
        const auto at = std::ranges::lower_bound(pending_, id, {}, &Pending::id);
        if (at == pending_.end() || at->id != id) return;
        at->done = true;
        for (; !pending_.empty() && pending_.front().done; pending_.pop_front())
            // A partition that went to another member: that one takes it again, and it is known by
            // its place.
            if (auto done = consumer_->commit(pending_.front().record); !done)
                commit_trouble_ = done.error().what;
            else
                commit_trouble_.clear();
    }

    void wait(std::int64_t timeout_us) override {
        if (ahead_.empty())
            if (auto records = consumer_->take(1, timeout_us)) ahead_ = std::move(*records);
    }

    [[nodiscard]] bool connected() const override { return consumer_->partitions() > 0; }

    [[nodiscard]] std::uint64_t sessions_lost() const override { return 0; }

    [[nodiscard]] std::string trouble() const override {
        const std::string its = consumer_->trouble();
        return its.empty() ? commit_trouble_ : its;
    }

  private:
    struct Pending {
        std::uint64_t id = 0;
        kafka::Record record;  // without its bytes
        bool done = false;
    };

    [[nodiscard]] Outcome<std::vector<kafka::Record>> take(
        std::size_t records_max, std::int64_t timeout_us
    ) {
        std::vector<kafka::Record> made = std::exchange(ahead_, {});
        // Also with no room: the consumer must be asked now and then to stay in its group.
        if (records_max == 0) return made;
        auto more = consumer_->take(records_max, timeout_us);
        if (!more && made.empty()) return more;
        if (more) std::ranges::move(*more, std::back_inserter(made));
        return made;
    }

    std::unique_ptr<kafka::Consumer> consumer_;
    std::size_t in_flight_max_;
    std::deque<Pending> pending_;
    std::vector<kafka::Record> ahead_;  // that wait() came by
    std::string commit_trouble_;
    std::uint64_t next_id_ = 1;
};

Outcome<std::unique_ptr<Intake>> open_mqtt(
    mqtt::Readers& readers,
    const Broker& broker,
    const std::vector<const Source*>& sources,
    const std::string& password
) {
    mqtt::ReaderOptions options;
    options.connection.host = broker.host;
    options.connection.port = broker.port;
    options.connection.client_id = broker.client_id;
    options.connection.protocol_version = broker.protocol_version;
    options.connection.credentials = {
        broker.ca_file, broker.certificate_file, broker.key_file, broker.username, password
    };
    options.in_flight_max = broker.in_flight_max;
    options.session_s = broker.session_s;
    for (const Source* source : sources)
        if (std::ranges::find(options.filters, source->topic.filter()) == options.filters.end())
            options.filters.push_back(source->topic.filter());
    auto reader = readers.open(std::move(options));
    if (!reader) return std::unexpected(reader.error());
    return std::make_unique<MqttIntake>(std::move(*reader));
}

Outcome<std::unique_ptr<Intake>> open_kafka(
    kafka::Kafka& kafka,
    const Broker& broker,
    const std::vector<const Source*>& sources,
    const std::string& password
) {
    kafka::Options options;
    options.brokers = broker.brokers;
    options.group = broker.client_id;
    options.instance = broker.client_id;
    options.credentials.tls = broker.tls;
    options.credentials.ca_file = broker.ca_file;
    options.credentials.certificate_file = broker.certificate_file;
    options.credentials.key_file = broker.key_file;
    options.credentials.scram_user = broker.username;
    options.credentials.scram_password = password;
    for (const Source* source : sources)
        if (std::ranges::find(options.topics, source->topic.text()) == options.topics.end())
            options.topics.push_back(source->topic.text());
    auto consumer = kafka.consumer(options);
    if (!consumer) return std::unexpected(consumer.error());
    return std::make_unique<KafkaIntake>(std::move(*consumer), broker.in_flight_max);
}

}  // namespace

Outcome<std::unique_ptr<Intake>> open_intake(
    const Ways& ways,
    const Broker& broker,
    const std::vector<const Source*>& sources,
    const std::string& password
) {
    auto made = Outcome<std::unique_ptr<Intake>>{
        fail(base::Fault::bad_input, "this program was built without a way to it")
    };
    if (broker.protocol == Protocol::mqtt && ways.mqtt != nullptr)
        made = open_mqtt(*ways.mqtt, broker, sources, password);
    if (broker.protocol == Protocol::kafka && ways.kafka != nullptr)
        made = open_kafka(*ways.kafka, broker, sources, password);
    if (!made) return fail(made.error().fault, "broker " + broker.name + ": " + made.error().what);
    return made;
}

}  // namespace stator::adopt
