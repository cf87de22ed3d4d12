#include "transport/bridge/downlink.h"

#include <fmt/format.h>

#include <algorithm>

namespace stator::bridge {

Downlink::Downlink(
    std::unique_ptr<kafka::Consumer> consumer,
    mqtt::Client& client,
    journal::Journal& journal,
    DownlinkOptions options
)
    : consumer_{std::move(consumer)},
      client_{client},
      journal_{journal},
      options_{std::move(options)} {}

void Downlink::on_event(const mqtt::Event& event) {
    const bool refused = event.kind == mqtt::Event::Kind::refused;
    if (!refused && event.kind != mqtt::Event::Kind::acknowledged) return;
    const auto found = std::ranges::find_if(passing_, [&](const Passing& passing) {
        return passing.state == State::published && passing.id == event.id;
    });
    if (found == passing_.end()) return;
    found->state = State::done;
    if (!refused) {
        ++counts_.brought;
        return;
    }
    ++counts_.refused;
    const kafka::Record& record = found->record;
    journal_.warn(
        "bridge",
        fmt::format(
            "the broker refuses what Kafka has at {}[{}]:{} ({}): passed over",
            record.topic,
            record.partition,
            record.offset,
            event.reason
        )
    );
}

Outcome<bool> Downlink::take() {
    if (passing_.size() >= passing_max) return false;
    auto taken = consumer_->take(passing_max - passing_.size(), 0);
    if (!taken) return std::unexpected(taken.error());
    for (kafka::Record& record : *taken) {
        Passing& passing = passing_.emplace_back(Passing{.record = std::move(record)});
        const auto site = passing.record.headers.find("stator-site");
        if (site != passing.record.headers.end() && site->second == options_.site) {
            passing.state = State::done;
            ++counts_.own;
        }
    }
    return !taken->empty();
}

Outcome<bool> Downlink::publish() {
    bool worked = false;
    for (Passing& passing : passing_) {
        if (passing.state != State::waiting) continue;
        const auto topic = options_.topics.find(passing.record.topic);
        if (topic == options_.topics.end()) {  // a topic that was subscribed before
            passing.state = State::done;
            continue;
        }
        auto id =
            client_.publish({.topic = topic->second, .payload = passing.record.value, .qos = 1});
        if (!id) {
            if (id.error().fault == base::Fault::full) return worked;  // in order, at a later step
            return std::unexpected(id.error());
        }
        passing.id = *id;
        passing.state = State::published;
        worked = true;
    }
    return worked;
}

Outcome<bool> Downlink::commit() {
    bool worked = false;
    while (!passing_.empty() && passing_.front().state == State::done) {
        auto done = consumer_->commit(passing_.front().record);
        // Another member's partition now, who brings it down again: idempotent.
        if (!done && done.error().fault != base::Fault::not_found)
            return std::unexpected(done.error());
        passing_.pop_front();
        worked = true;
    }
    return worked;
}

Outcome<bool> Downlink::step() {
    auto taken = take();
    auto published = publish();  // what was taken before goes on, whatever Kafka says now
    auto committed = commit();
    for (const Outcome<bool>* done : {&published, &committed, &taken})
        if (!*done) return *done;
    return *taken || *published || *committed;
}

}  // namespace stator::bridge
