#include "transport/bridge/downlink.h"

#include <algorithm>

namespace stator::bridge {

namespace {
constexpr std::size_t passing_max = 500;
}

Downlink::Downlink(
    std::unique_ptr<kafka::Consumer> consumer, mqtt::Client& client, DownlinkOptions options
)
    : consumer_{std::move(consumer)}, client_{client}, options_{std::move(options)} {}

void Downlink::on_event(const mqtt::Event& event) {
    if (event.kind != mqtt::Event::Kind::acknowledged && event.kind != mqtt::Event::Kind::refused)
        return;
    const auto found = std::ranges::find(passing_, event.id, &Passing::id);
    if (found == passing_.end()) return;
    found->done = true;
    if (event.kind == mqtt::Event::Kind::acknowledged) ++brought_;
}

Outcome<bool> Downlink::step() {
    bool worked = false;
    if (passing_.size() < passing_max) {
        auto taken = consumer_->take(passing_max - passing_.size(), 0);
        if (!taken) return std::unexpected(taken.error());
        for (kafka::Record& record : *taken) {
            Passing passing{.record = std::move(record)};
            const auto site = passing.record.headers.find("stator-site");
            const auto topic = options_.topics.find(passing.record.topic);
            if ((site != passing.record.headers.end() && site->second == options_.site) ||
                topic == options_.topics.end()) {
                passing.done = true;
            } else {
                auto id = client_.publish(
                    {.topic = topic->second, .payload = passing.record.value, .qos = 1}
                );
                if (!id) return std::unexpected(id.error());
                passing.id = *id;
            }
            passing_.push_back(std::move(passing));
            worked = true;
        }
    }
    while (!passing_.empty() && passing_.front().done) {
        if (auto done = consumer_->commit(passing_.front().record); !done)
            return std::unexpected(done.error());
        passing_.pop_front();
        worked = true;
    }
    return worked;
}

}  // namespace stator::bridge
