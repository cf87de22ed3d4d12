#include "store/stream/mqtt_stream.h"

#include <algorithm>

namespace stator::stream {

class MqttStream::Heard final : public Source {
  public:
    Heard(clock::Clock& clock, std::shared_ptr<Queue> queue)
        : clock_{clock}, queue_{std::move(queue)} {}

    Outcome<std::vector<log::Record>> take(std::size_t records_max) override {
        std::vector<log::Record> taken;
        while (!queue_->records.empty() && taken.size() < records_max) {
            taken.push_back(std::move(queue_->records.front()));
            queue_->records.pop_front();
        }
        return taken;
    }

    Outcome<void> commit(log::Offset /*next*/) override { return {}; }

    // The network's work is done by the client's owner, between two waits.
    void wait(std::int64_t timeout_us) override {
        constexpr std::int64_t look_again_us = 2000;
        if (queue_->records.empty()) clock_.wait_us(std::min(timeout_us, look_again_us));
    }

    std::uint64_t missed_bytes() override { return std::exchange(queue_->missed_bytes, 0); }

  private:
    clock::Clock& clock_;
    std::shared_ptr<Queue> queue_;
};

Outcome<std::unique_ptr<Source>> MqttStream::open(
    log::Class log_class, const ReaderOptions& /*options*/
) {
    auto& queue = queues_[log_class];
    if (queue) return fail(base::Fault::exists, "the MQTT stream has one reader a class");
    queue = std::make_shared<Queue>();
    return std::make_unique<Heard>(clock_, queue);
}

Outcome<void> MqttStream::subscribe(mqtt::Client& client) {
    for (const auto& [topic, log_class] : options_.topics)
        if (auto done = client.subscribe(topic, 1); !done) return done;
    return {};
}

void MqttStream::hear(const mqtt::Event& event) {
    if (event.kind != mqtt::Event::Kind::message) return;
    const auto topic = options_.topics.find(event.message.topic);
    if (topic == options_.topics.end()) return;
    const auto found = queues_.find(topic->second);
    if (found == queues_.end()) return;
    Queue& queue = *found->second;
    log::Record record;
    record.offset = {.epoch = 0, .position = queue.heard};
    record.next = {.epoch = 0, .position = ++queue.heard};
    record.receive_unix_ms = clock_.unix_ms();
    record.topic = event.message.topic;
    record.payload = event.message.payload;
    queue.records.push_back(std::move(record));
    if (queue.records.size() <= options_.records_max) return;
    queue.missed_bytes += queue.records.front().payload.size();
    queue.records.pop_front();
}

}  // namespace stator::stream
