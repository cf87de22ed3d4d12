#include "world/kafka/rdkafka_consumer.h"

namespace stator::kafka {

namespace {

constexpr std::int32_t heartbeats_a_session = 3;

Record record_of(RdKafka::Message& message) {
    Record record;
    record.topic = message.topic_name();
    if (const std::string* key = message.key()) record.key = *key;
    const auto* bytes = static_cast<const char*>(message.payload());
    if (bytes != nullptr) record.value.assign(bytes, message.len());
    record.partition = message.partition();
    record.offset = message.offset();
    record.unix_ms = message.timestamp().timestamp;
    if (const RdKafka::Headers* headers = message.headers())
        for (const RdKafka::Headers::Header& header : headers->get_all())
            record.headers[header.key()] =
                std::string{static_cast<const char*>(header.value()), header.value_size()};
    return record;
}

// librdkafka takes pointers; these own what they point to.
class Partitions {
  public:
    explicit Partitions(const std::map<std::pair<std::string, std::int32_t>, std::int64_t>& of) {
        for (const auto& [place, offset] : of) {
            owned_.emplace_back(RdKafka::TopicPartition::create(place.first, place.second, offset));
            list_.push_back(owned_.back().get());
        }
    }

    [[nodiscard]] std::vector<RdKafka::TopicPartition*>& list() { return list_; }

  private:
    std::vector<std::unique_ptr<RdKafka::TopicPartition>> owned_;
    std::vector<RdKafka::TopicPartition*> list_;
};

}  // namespace

Outcome<std::unique_ptr<Consumer>> RealConsumer::make(const Options& options) {
    if (options.group.empty() || options.topics.empty())
        return fail(base::Fault::bad_input, "kafka: a consumer needs a group and topics");
    std::unique_ptr<RealConsumer> made{new RealConsumer{}};
    auto settings = common_settings(options);
    if (!settings) return std::unexpected(settings.error());
    settings->emplace_back("group.id", options.group);
    if (!options.instance.empty()) settings->emplace_back("group.instance.id", options.instance);
    settings->emplace_back("session.timeout.ms", std::to_string(options.session_timeout_ms));
    settings->emplace_back(
        "heartbeat.interval.ms", std::to_string(options.session_timeout_ms / heartbeats_a_session)
    );
    settings->emplace_back("enable.auto.commit", "false");
    settings->emplace_back("auto.offset.reset", options.latest ? "latest" : "earliest");
    settings->emplace_back("allow.auto.create.topics", "true");
    // A topic that comes into being is found within this time.
    settings->emplace_back("topic.metadata.refresh.interval.ms", "5000");
    // Memory: at most this much is fetched ahead of take().
    settings->emplace_back("queued.max.messages.kbytes", "8192");
    auto conf = configure(*settings, *made);
    if (!conf) return std::unexpected(conf.error());
    std::string why;
    if ((*conf)->set("rebalance_cb", static_cast<RdKafka::RebalanceCb*>(made.get()), why) !=
            RdKafka::Conf::CONF_OK ||
        (*conf)->set("offset_commit_cb", static_cast<RdKafka::OffsetCommitCb*>(made.get()), why) !=
            RdKafka::Conf::CONF_OK)
        return fail(base::Fault::bad_input, "kafka: " + why);
    made->consumer_.reset(RdKafka::KafkaConsumer::create(conf->get(), why));
    if (!made->consumer_) return fail(base::Fault::bad_input, "kafka: " + why);
    const RdKafka::ErrorCode code = made->consumer_->subscribe(options.topics);
    if (code != RdKafka::ERR_NO_ERROR)
        return fail(fault_of(code), "kafka: subscribe: " + RdKafka::err2str(code));
    return std::unique_ptr<Consumer>{std::move(made)};
}

RealConsumer::~RealConsumer() {
    if (!consumer_) return;
    settle();
    (void)consumer_->close();
}

Outcome<std::vector<Record>> RealConsumer::take(std::size_t records_max, std::int64_t timeout_us) {
    std::vector<Record> made;
    send_commits();
    while (made.size() < records_max) {
        const int timeout_ms = made.empty() ? static_cast<int>(timeout_us / 1000) : 0;
        const std::unique_ptr<RdKafka::Message> message{consumer_->consume(timeout_ms)};
        const RdKafka::ErrorCode code = message->err();
        if (put_out_) return fail(base::Fault::closed, trouble_.text());
        if (code == RdKafka::ERR_NO_ERROR) {
            made.push_back(record_of(*message));
            const auto [next, first] =
                expected_.try_emplace({message->topic_name(), message->partition()}, 0);
            if (!first && message->offset() > next->second)
                missed_ += static_cast<std::uint64_t>(message->offset() - next->second);
            next->second = message->offset() + 1;
            continue;
        }
        if (code == RdKafka::ERR__PARTITION_EOF) continue;
        if (code == RdKafka::ERR__TIMED_OUT || !made.empty()) break;
        const base::Fault fault = fault_of(code);
        if (fault == base::Fault::denied || fault == base::Fault::closed)
            return fail(fault, "kafka: " + message->errstr());
        // A topic that is not there yet, a member that was slow: it goes on by itself.
        trouble_.set("kafka: " + message->errstr());
        break;
    }
    return made;
}

Outcome<void> RealConsumer::commit(const Record& record) {
    const Place place{record.topic, record.partition};
    if (!mine_.contains(place))
        return fail(
            base::Fault::not_found,
            "kafka: " + record.topic + "[" + std::to_string(record.partition) +
                "] is another reader's now"
        );
    std::int64_t& reached = reached_[place];
    if (record.offset < reached) return {};
    reached = record.offset + 1;
    wanted_[place] = reached;
    send_commits();
    return {};
}

void RealConsumer::send_commits() {
    if (wanted_.empty() || !sent_.empty()) return;
    Partitions partitions{wanted_};
    const RdKafka::ErrorCode code = consumer_->commitAsync(partitions.list());
    if (code != RdKafka::ERR_NO_ERROR) {
        trouble_.set("kafka: commit: " + RdKafka::err2str(code));
        return;
    }
    sent_.swap(wanted_);
}

void RealConsumer::offset_commit_cb(
    RdKafka::ErrorCode code, std::vector<RdKafka::TopicPartition*>& /*offsets*/
) {
    Offsets answered;
    answered.swap(sent_);
    if (code == RdKafka::ERR_NO_ERROR || code == RdKafka::ERR__NO_OFFSET) return;
    trouble_.set("kafka: commit: " + RdKafka::err2str(code));
    // Newer places win; those of partitions that went away are their new reader's matter.
    for (const auto& [place, offset] : answered)
        if (mine_.contains(place)) wanted_.try_emplace(place, offset);
}

// Everything committed is stored, or cannot be now.
void RealConsumer::settle() {
    Offsets open = sent_;
    for (const auto& [place, offset] : wanted_)
        open[place] = offset;
    std::erase_if(open, [&](const auto& entry) { return !mine_.contains(entry.first); });
    sent_.clear();
    wanted_.clear();
    if (open.empty() || !trouble_.text().empty()) return;
    Partitions partitions{open};
    (void)consumer_->commitSync(partitions.list());
}

void RealConsumer::rebalance_cb(
    RdKafka::KafkaConsumer* consumer,
    RdKafka::ErrorCode code,
    std::vector<RdKafka::TopicPartition*>& partitions
) {
    if (code == RdKafka::ERR__ASSIGN_PARTITIONS) {
        for (const RdKafka::TopicPartition* partition : partitions)
            mine_.emplace(partition->topic(), partition->partition());
        (void)consumer->assign(partitions);
        return;
    }
    if (!consumer->assignment_lost()) settle();
    sent_.clear();
    wanted_.clear();
    reached_.clear();
    expected_.clear();
    mine_.clear();
    (void)consumer->unassign();
}

void RealConsumer::event_cb(RdKafka::Event& event) {
    trouble_.on_event(event);
    if (event.type() == RdKafka::Event::EVENT_ERROR && event.fatal()) put_out_ = true;
}

}  // namespace stator::kafka
