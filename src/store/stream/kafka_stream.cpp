#include "store/stream/kafka_stream.h"

#include "store/stream/kafka_record.h"

#include <algorithm>
#include <deque>
#include <map>
#include <utility>

namespace stator::stream {

namespace {

// Taken and not committed: older places are forgotten, which only makes a commit reach less far.
constexpr std::size_t places_max = 65'536;

class KafkaSource final : public Source {
  public:
    KafkaSource(
        std::unique_ptr<kafka::Consumer> consumer, std::map<std::string, std::string> mqtt_topics
    )
        : consumer_{std::move(consumer)}, mqtt_topics_{std::move(mqtt_topics)} {}

    Outcome<std::vector<log::Record>> take(std::size_t records_max) override {
        std::vector<log::Record> made;
        while (!ahead_.empty() && made.size() < records_max) {
            made.push_back(number(ahead_.front()));
            ahead_.pop_front();
        }
        if (made.size() == records_max) return made;
        auto taken = consumer_->take(records_max - made.size(), 0);
        if (!taken) {
            if (made.empty()) return std::unexpected(taken.error());
            return made;
        }
        for (kafka::Record& record : *taken)
            made.push_back(number(record));
        return made;
    }

    Outcome<void> commit(log::Offset next) override {
        std::map<std::pair<std::string, std::int32_t>, kafka::Record> done;
        while (!places_.empty() && places_.front().position < next.position) {
            kafka::Record& place = places_.front().record;
            done[{place.topic, place.partition}] = std::move(place);
            places_.pop_front();
        }
        for (const auto& [partition, record] : done) {
            auto committed = consumer_->commit(record);
            // Another reader's now: what it takes again, its own consumer knows again.
            if (!committed && committed.error().fault != base::Fault::not_found) return committed;
        }
        return {};
    }

    void wait(std::int64_t timeout_us) override {
        if (!ahead_.empty()) return;
        auto taken = consumer_->take(1, timeout_us);
        if (!taken) return;  // the next take() says it
        for (kafka::Record& record : *taken)
            ahead_.push_back(std::move(record));
    }

    // Kafka counts in records: their bytes are those of the mean record so far.
    std::uint64_t missed_bytes() override {
        const std::uint64_t missed = consumer_->missed();
        return taken_ == 0 ? 0 : missed * (taken_bytes_ / taken_);
    }

  private:
    struct Place {
        std::uint64_t position = 0;
        kafka::Record record;  // where it stands, not what it says
    };

    log::Record number(const kafka::Record& record) {
        log::Record made = from_kafka(record);
        if (const auto ours = mqtt_topics_.find(record.topic); ours != mqtt_topics_.end())
            made.topic = ours->second;
        made.offset.position = next_position_++;
        made.next.position = next_position_;
        taken_bytes_ += made.payload.size();
        ++taken_;
        if (places_.size() == places_max) places_.pop_front();
        places_.push_back(
            {.position = made.offset.position,
             .record =
                 {.topic = record.topic, .partition = record.partition, .offset = record.offset}}
        );
        return made;
    }

    std::unique_ptr<kafka::Consumer> consumer_;
    std::map<std::string, std::string> mqtt_topics_;  // Kafka's name -> ours
    std::deque<kafka::Record> ahead_;                 // taken by wait()
    std::deque<Place> places_;
    std::uint64_t next_position_ = 0;
    std::uint64_t taken_ = 0;
    std::uint64_t taken_bytes_ = 0;
};

}  // namespace

Outcome<std::unique_ptr<Source>> KafkaStream::open(
    log::Class log_class, const ReaderOptions& options
) {
    if (options.name.empty())
        return fail(base::Fault::bad_input, "kafka: a reader needs a name of its own");
    kafka::Options made = options_.connection;
    made.topics = options_.topics.at(static_cast<std::size_t>(log_class));
    made.group = options_.site + "." + options.name + "." + std::string{log::name_of(log_class)};
    made.instance = options.name;
    made.latest = options.start == Start::latest;
    if (made.topics.empty())
        return fail(
            base::Fault::bad_input,
            "kafka: no topics are named for the class " + std::string{log::name_of(log_class)}
        );
    auto consumer = kafka_.consumer(made);
    if (!consumer) return std::unexpected(consumer.error());
    return std::make_unique<KafkaSource>(std::move(*consumer), options_.mqtt_topics);
}

}  // namespace stator::stream
