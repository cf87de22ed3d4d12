#include "world/kafka/simulated.h"

#include <algorithm>

namespace stator::kafka {

namespace {

// Any fixed spread will do; FNV-1a.
std::uint32_t spread(const std::string& key) {
    constexpr std::uint32_t basis = 2'166'136'261U;
    constexpr std::uint32_t prime = 16'777'619U;
    std::uint32_t made = basis;
    for (const char c : key)
        made = (made ^ static_cast<unsigned char>(c)) * prime;
    return made;
}

}  // namespace

std::string SimulatedKafka::trouble_of(const Options& options) const {
    if (away_) return "kafka: " + options.brokers + " does not answer";
    const Credentials& who = options.credentials;
    if (who.scram_user != settings_.user || who.scram_password != settings_.password)
        return "kafka: authentication failed: user '" + who.scram_user + "'";
    return {};
}

bool SimulatedKafka::has(const std::string& topic) const {
    return topics_.contains(topic);
}

void SimulatedKafka::store(const Record& record) {
    auto& partitions = topics_[record.topic];
    if (partitions.empty()) partitions.resize(static_cast<std::size_t>(settings_.partitions));
    const std::size_t chosen =
        (record.key.empty() ? stored_ : spread(record.key)) % partitions.size();
    Record kept = record;
    kept.partition = static_cast<std::int32_t>(chosen);
    kept.offset = static_cast<std::int64_t>(partitions[chosen].size());
    partitions[chosen].push_back(std::move(kept));
    ++stored_;
}

std::vector<Record> SimulatedKafka::records(const std::string& topic) const {
    std::vector<Record> made;
    const auto found = topics_.find(topic);
    if (found == topics_.end()) return made;
    for (const auto& partition : found->second)
        made.insert(made.end(), partition.begin(), partition.end());
    return made;
}

void SimulatedKafka::forget(const std::string& topic, std::int32_t partition, std::int64_t before) {
    oldest_[{topic, partition}] = before;
}

std::int64_t SimulatedKafka::committed(
    const std::string& group, const std::string& topic, std::int32_t partition
) const {
    const auto found = groups_.find(group);
    if (found == groups_.end()) return -1;
    const auto place = found->second.committed.find({topic, partition});
    return place == found->second.committed.end() ? -1 : place->second;
}

// In turn, over those members that want the topic.
std::set<SimulatedKafka::Place> SimulatedKafka::share_of(const Group& group, std::uint64_t member)
    const {
    std::set<Place> share;
    for (const auto& [topic, partitions] : topics_) {
        std::vector<std::uint64_t> takers;
        for (const Member& one : group.members)
            if (std::ranges::find(one.topics, topic) != one.topics.end()) takers.push_back(one.id);
        for (std::size_t i = 0; i < partitions.size() && !takers.empty(); ++i)
            if (takers[i % takers.size()] == member)
                share.emplace(topic, static_cast<std::int32_t>(i));
    }
    return share;
}

void SimulatedKafka::leave(const std::string& group, std::uint64_t member) {
    Group& left = groups_[group];
    if (std::erase_if(left.members, [&](const Member& one) { return one.id == member; }) > 0)
        ++left.generation;
}

Outcome<std::unique_ptr<Producer>> SimulatedKafka::producer(const Options& options) {
    if (options.brokers.empty()) return fail(base::Fault::bad_input, "kafka: no brokers are given");
    return std::make_unique<SimulatedProducer>(*this, options);
}

Outcome<std::unique_ptr<Consumer>> SimulatedKafka::consumer(const Options& options) {
    if (options.brokers.empty()) return fail(base::Fault::bad_input, "kafka: no brokers are given");
    if (options.group.empty() || options.topics.empty())
        return fail(base::Fault::bad_input, "kafka: a consumer needs a group and topics");
    return std::make_unique<SimulatedConsumer>(*this, options, next_member_++);
}

Outcome<std::uint64_t> SimulatedProducer::produce(const Record& record) {
    if (record.value.size() > kafka_.settings_.record_bytes_max)
        return fail(base::Fault::bad_input, "kafka: " + record.topic + ": too large a record");
    if (queue_.size() + unanswered_.size() >= options_.queue_max ||
        queue_bytes_ + record.value.size() > options_.queue_bytes_max)
        return fail(base::Fault::full, "kafka: " + record.topic + ": the queue is full");
    queue_bytes_ += record.value.size();
    queue_.emplace_back(next_id_, record);
    return next_id_++;
}

std::vector<Delivery> SimulatedProducer::poll(std::int64_t /*timeout_us*/) {
    std::vector<Delivery> made;
    if (!trouble().empty()) return made;
    for (; !queue_.empty(); queue_.pop_front()) {
        const auto& [id, record] = queue_.front();
        queue_bytes_ -= record.value.size();
        kafka_.store(record);
        unanswered_.push_back(id);
    }
    if (kafka_.hold_answers_) return made;
    for (; !unanswered_.empty(); unanswered_.pop_front())
        made.push_back({.id = unanswered_.front(), .stored = true});
    return made;
}

SimulatedConsumer::~SimulatedConsumer() {
    settle();
    kafka_.leave(options_.group, member_);
}

// False when another member came with this one's name.
bool SimulatedConsumer::join() {
    SimulatedKafka::Group& group = kafka_.groups_[options_.group];
    const auto own = std::ranges::find(group.members, member_, &SimulatedKafka::Member::id);
    if (own == group.members.end()) {
        if (generation_ != 0) return false;
        if (!options_.instance.empty())
            std::erase_if(group.members, [&](const auto& one) {
                return one.instance == options_.instance;
            });
        group.members.push_back({member_, options_.instance, options_.topics});
        ++group.generation;
    }
    if (generation_ == group.generation && topics_known_ == kafka_.topics_.size()) return true;
    generation_ = group.generation;
    topics_known_ = kafka_.topics_.size();
    settle();
    next_.clear();
    for (const Place& place : kafka_.share_of(group, member_)) {
        const auto done = group.committed.find(place);
        const auto& partition = kafka_.topics_[place.first][static_cast<std::size_t>(place.second)];
        const auto end = static_cast<std::int64_t>(partition.size());
        if (done == group.committed.end() && options_.latest) group.committed[place] = end;
        next_[place] = done != group.committed.end() ? done->second : (options_.latest ? end : 0);
    }
    return true;
}

void SimulatedConsumer::settle() {
    if (!trouble().empty()) return;
    auto& committed = kafka_.groups_[options_.group].committed;
    for (const auto& [place, offset] : wanted_) {
        std::int64_t& kept = committed[place];
        kept = std::max(kept, offset);
    }
    wanted_.clear();
}

Outcome<std::vector<Record>> SimulatedConsumer::take(
    std::size_t records_max, std::int64_t /*timeout_us*/
) {
    std::vector<Record> made;
    if (!trouble().empty()) return made;
    if (!join())
        return fail(base::Fault::closed, "kafka: another reader came with this one's name");
    settle();
    for (auto& [place, next] : next_) {
        const auto& partition = kafka_.topics_[place.first][static_cast<std::size_t>(place.second)];
        const auto oldest = kafka_.oldest_.find(place);
        if (oldest != kafka_.oldest_.end() && next < oldest->second) {
            missed_ += static_cast<std::uint64_t>(oldest->second - next);
            next = oldest->second;
        }
        while (made.size() < records_max && next < static_cast<std::int64_t>(partition.size()))
            made.push_back(partition[static_cast<std::size_t>(next++)]);
    }
    return made;
}

Outcome<void> SimulatedConsumer::commit(const Record& record) {
    const Place place{record.topic, record.partition};
    const SimulatedKafka::Group& group = kafka_.groups_[options_.group];
    const bool mine = generation_ == group.generation
                          ? next_.contains(place)
                          : kafka_.share_of(group, member_).contains(place);
    if (!mine)
        return fail(
            base::Fault::not_found,
            "kafka: " + record.topic + "[" + std::to_string(record.partition) +
                "] is another reader's now"
        );
    std::int64_t& next = wanted_[place];
    next = std::max(next, record.offset + 1);
    settle();
    return {};
}

}  // namespace stator::kafka
