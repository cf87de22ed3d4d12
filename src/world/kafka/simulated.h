// SimulatedKafka is the kafka door without a network: topics, partitions and groups in memory.
//
// It keeps what the door promises and can misbehave on command: brokers away, brokers that store
// and whose answer is lost, logins that fail. It is not Kafka in three things: nothing is
// compressed, a killed member's partitions are free at once, and nothing grows old by itself. Must
// outlive its producers and consumers.
#pragma once

#include "world/kafka/kafka.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace stator::kafka {

struct SimulatedSettings {
    std::int32_t partitions = 1;  // of a topic that comes into being
    std::size_t record_bytes_max = 1'000'000;
    std::string user;  // when set, whoever logs in otherwise is not served
    std::string password;
};

class SimulatedKafka final : public Kafka {
  public:
    explicit SimulatedKafka(SimulatedSettings settings = {}) : settings_{std::move(settings)} {}

    [[nodiscard]] Outcome<std::unique_ptr<Producer>> producer(const Options& options) override;
    [[nodiscard]] Outcome<std::unique_ptr<Consumer>> consumer(const Options& options) override;

    // While away nothing is stored, given or committed.
    void set_away(bool away) { away_ = away; }

    // Records are stored, and nobody is told: what a kill at that moment leaves behind.
    void hold_answers(bool hold) { hold_answers_ = hold; }

    // The records before that offset have grown old: readers that are behind miss them.
    void forget(const std::string& topic, std::int32_t partition, std::int64_t before);

    // All there ever was of a topic, by partition and offset.
    [[nodiscard]] std::vector<Record> records(const std::string& topic) const;
    // The next record that a group would begin with; -1: it has committed nothing.
    [[nodiscard]] std::int64_t committed(
        const std::string& group, const std::string& topic, std::int32_t partition = 0
    ) const;

  private:
    friend class SimulatedProducer;
    friend class SimulatedConsumer;
    using Place = std::pair<std::string, std::int32_t>;  // topic, partition

    struct Member {
        std::uint64_t id = 0;
        std::string instance;
        std::vector<std::string> topics;
    };

    struct Group {
        std::uint64_t generation = 0;  // rises with every coming and going
        std::vector<Member> members;
        std::map<Place, std::int64_t> committed;
    };

    [[nodiscard]] std::string trouble_of(const Options& options) const;
    [[nodiscard]] bool has(const std::string& topic) const;
    void store(const Record& record);
    [[nodiscard]] std::set<Place> share_of(const Group& group, std::uint64_t member) const;
    void leave(const std::string& group, std::uint64_t member);

    SimulatedSettings settings_;
    std::map<std::string, std::vector<std::vector<Record>>> topics_;  // by partition
    std::map<Place, std::int64_t> oldest_;
    std::map<std::string, Group> groups_;
    std::uint64_t next_member_ = 1;
    std::uint64_t stored_ = 0;
    bool away_ = false;
    bool hold_answers_ = false;
};

class SimulatedProducer final : public Producer {
  public:
    SimulatedProducer(SimulatedKafka& kafka, Options options)
        : kafka_{kafka}, options_{std::move(options)} {}

    [[nodiscard]] Outcome<std::uint64_t> produce(const Record& record) override;
    [[nodiscard]] std::vector<Delivery> poll(std::int64_t timeout_us) override;

    [[nodiscard]] std::string trouble() const override { return kafka_.trouble_of(options_); }

  private:
    SimulatedKafka& kafka_;
    Options options_;
    std::deque<std::pair<std::uint64_t, Record>> queue_;
    std::deque<std::uint64_t> unanswered_;
    std::size_t queue_bytes_ = 0;
    std::uint64_t next_id_ = 1;
};

class SimulatedConsumer final : public Consumer {
  public:
    SimulatedConsumer(SimulatedKafka& kafka, Options options, std::uint64_t member)
        : kafka_{kafka}, options_{std::move(options)}, member_{member} {}

    ~SimulatedConsumer() override;
    SimulatedConsumer(const SimulatedConsumer&) = delete;
    SimulatedConsumer& operator=(const SimulatedConsumer&) = delete;

    [[nodiscard]] Outcome<std::vector<Record>> take(
        std::size_t records_max, std::int64_t timeout_us
    ) override;
    [[nodiscard]] Outcome<void> commit(const Record& record) override;

    [[nodiscard]] std::uint64_t missed() override { return std::exchange(missed_, 0); }

    [[nodiscard]] std::size_t partitions() const override { return next_.size(); }

    [[nodiscard]] std::string trouble() const override { return kafka_.trouble_of(options_); }

  private:
    using Place = SimulatedKafka::Place;

    [[nodiscard]] bool join();
    void settle();

    SimulatedKafka& kafka_;
    Options options_;
    std::uint64_t member_;
    std::uint64_t generation_ = 0;
    std::size_t topics_known_ = 0;
    std::uint64_t missed_ = 0;
    std::map<Place, std::int64_t> next_;    // of my partitions, to be taken
    std::map<Place, std::int64_t> wanted_;  // to be committed
};

}  // namespace stator::kafka
