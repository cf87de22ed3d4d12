// RealConsumer is a Consumer on librdkafka.
//
// Commits go out one at a time, each with the newest place of every partition, while nobody waits;
// one that failed goes out again with the next take(). What is under way when a partition is to be
// given up, or at the end, is waited for, unless the brokers are away.
#pragma once

#include "world/kafka/rdkafka_settings.h"

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace stator::kafka {

class RealConsumer final : public Consumer,
                           RdKafka::RebalanceCb,
                           RdKafka::OffsetCommitCb,
                           RdKafka::EventCb {
  public:
    [[nodiscard]] static Outcome<std::unique_ptr<Consumer>> make(const Options& options);
    ~RealConsumer() override;
    RealConsumer(const RealConsumer&) = delete;
    RealConsumer& operator=(const RealConsumer&) = delete;

    [[nodiscard]] Outcome<std::vector<Record>> take(
        std::size_t records_max, std::int64_t timeout_us
    ) override;
    [[nodiscard]] Outcome<void> commit(const Record& record) override;

    [[nodiscard]] std::uint64_t missed() override { return std::exchange(missed_, 0); }

    [[nodiscard]] std::size_t partitions() const override { return mine_.size(); }

    [[nodiscard]] std::string trouble() const override { return trouble_.text(); }

  private:
    using Place = std::pair<std::string, std::int32_t>;  // topic, partition
    using Offsets = std::map<Place, std::int64_t>;       // the next to be taken

    RealConsumer() = default;

    void send_commits();
    void settle();
    void rebalance_cb(
        RdKafka::KafkaConsumer* consumer,
        RdKafka::ErrorCode code,
        std::vector<RdKafka::TopicPartition*>& partitions
    ) override;
    void offset_commit_cb(RdKafka::ErrorCode code, std::vector<RdKafka::TopicPartition*>& offsets)
        override;
    void event_cb(RdKafka::Event& event) override;

    std::unique_ptr<RdKafka::KafkaConsumer> consumer_;
    std::set<Place> mine_;
    Offsets reached_;   // the highest that was asked for: nothing takes a commit back
    Offsets wanted_;    // to be committed
    Offsets sent_;      // under way; one commit at a time
    Offsets expected_;  // of the next record
    std::uint64_t missed_ = 0;
    Trouble trouble_;
    bool put_out_ = false;
};

}  // namespace stator::kafka
