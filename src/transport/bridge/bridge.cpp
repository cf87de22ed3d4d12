#include "transport/bridge/bridge.h"

#include "store/log/inspect.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace stator::bridge {

namespace {

constexpr std::string_view tag = "bridge";
constexpr const char* reader_name = "bridge";
constexpr std::int64_t look_us = 2'000'000;
constexpr double hours_a_day = 24;
// The wait is on telemetry: an alarm without any, or an answer of Kafka's, waits this long at most.
constexpr std::int64_t wait_us_max = 10'000;
// Kafka's answers come that soon after one another while it takes no more.
constexpr std::int64_t full_wait_us = 4'000;
// Under load records go in batches: a turn for each would cost more than all else the bridge does,
// and a request for each more than all else Kafka does. So a busy log's turns are the further apart
// the busier it is. A quiet one's records go at once, a backlog's too, for its turns are full.
constexpr std::int64_t turns_apart_us_max = 20'000;
constexpr double turns_apart_us_a_record_a_ms = 4'000;
constexpr double quiet_records_a_ms = 0.5;
constexpr std::int64_t lately_us = 50'000;  // so that two that come together are no load
// A commit is a sync of the disk: the record that is to go does not wait for that, and a kill
// repeats what this time brought.
constexpr std::int64_t commits_apart_us = 100'000;

constexpr std::array by_urgency{
    log::Class::alarm, log::Class::control, log::Class::telemetry, log::Class::waveform
};

bool is_urgent(log::Class log_class) {
    return log_class == log::Class::alarm || log_class == log::Class::control;
}

bool is_required(log::Class log_class) {
    return log_class != log::Class::waveform;
}

std::string label_of(log::Class log_class) {
    return metrics::label("class", log::name_of(log_class));
}

}  // namespace

std::string required_readers() {
    std::string text;
    for (const log::Class log_class : by_urgency)
        if (is_required(log_class))
            text += fmt::format(
                "{}{}:{}", text.empty() ? "" : ",", reader_name, log::name_of(log_class)
            );
    return text;
}

Bridge::Bridge(doors::Doors& doors, Options options)
    : doors_{doors}, options_{std::move(options)} {}

Outcome<std::unique_ptr<Bridge>> Bridge::make(
    doors::Doors& doors, kafka::Kafka& kafka, stream::Stream& stream, Options options
) {
    std::unique_ptr<Bridge> made{new Bridge{doors, std::move(options)}};
    const Options& its = made->options_;
    for (auto* producer : {&made->urgent_, &made->bulk_}) {
        auto opened = kafka.producer(its.kafka);
        if (!opened) return std::unexpected(opened.error());
        *producer = std::move(*opened);
    }
    for (const log::Class log_class : by_urgency) {
        auto source = stream.open(
            log_class,
            {.name = reader_name,
             .required = is_required(log_class),
             .start = stream::Start::earliest}
        );
        if (!source) return std::unexpected(source.error());
        kafka::Producer& producer = is_urgent(log_class) ? *made->urgent_ : *made->bulk_;
        made->lanes_.push_back(
            {.log_class = log_class,
             .uplink = std::make_unique<Uplink>(
                 std::move(*source),
                 producer,
                 UplinkOptions{
                     .site = its.site, .own_id = its.mqtt.client_id, .topics = its.up_topics
                 }
             )}
        );
    }
    auto client = doors.mqtt.connect(its.mqtt);
    if (!client) return std::unexpected(client.error());
    made->client_ = std::move(*client);
    kafka::Options down = its.kafka;
    down.group = its.site + ".bridge.down";
    down.instance = reader_name;
    for (const auto& [from, to] : its.down_topics)
        down.topics.push_back(from);
    auto consumer = kafka.consumer(down);
    if (!consumer) return std::unexpected(consumer.error());
    made->downlink_ = std::make_unique<Downlink>(
        std::move(*consumer),
        *made->client_,
        doors.journal,
        DownlinkOptions{.site = its.site, .topics = its.down_topics}
    );
    return made;
}

std::uint64_t Bridge::taken() const {
    std::uint64_t n = 0;
    for (const Lane& lane : lanes_)
        n += lane.uplink->counts().taken;
    return n;
}

std::int64_t Bridge::until_next_turn_us(std::int64_t now_us, std::uint64_t taken) {
    constexpr double us_a_ms = 1'000;
    const std::int64_t passed_us = std::min(now_us - turned_us_, lately_us);
    lately_ -= lately_ * static_cast<double>(passed_us) / lately_us;
    lately_ += static_cast<double>(taken);
    const double records_a_ms = lately_ * us_a_ms / lately_us;
    if (taken == 0 || taken >= records_a_step || records_a_ms < quiet_records_a_ms) return 0;
    return std::min(
        static_cast<std::int64_t>(records_a_ms * turns_apart_us_a_record_a_ms), turns_apart_us_max
    );
}

Uplink& Bridge::telemetry() {
    return *std::ranges::find(lanes_, log::Class::telemetry, &Lane::log_class)->uplink;
}

void Bridge::hear_kafka() {
    for (const auto& producer : {std::cref(urgent_), std::cref(bulk_)})
        for (const kafka::Delivery& delivery : producer.get()->poll(0)) {
            // The ids of two producers may be equal: only its own lanes are asked.
            for (Lane& lane : lanes_)
                if (is_urgent(lane.log_class) == (&producer.get() == &urgent_) &&
                    lane.uplink->on_delivery(delivery))
                    break;
        }
}

Outcome<bool> Bridge::step() {
    hear_kafka();
    for (const mqtt::Event& event : client_->poll())
        downlink_->on_event(event);
    const std::int64_t now_us = doors_.clock.monotonic_us();
    if (looked_us_ == 0 || now_us - looked_us_ >= look_us) {
        looked_us_ = now_us;
        look_around();
    }
    if (now_us < next_turn_us_) return false;
    const std::uint64_t taken_before = taken();
    bool worked = false;
    std::optional<Error> failed;  // one lane's trouble does not stop the others
    const auto note = [&](const Outcome<bool>& done) {
        if (done) {
            worked = worked || *done;
        } else if (!failed && done.error().fault != base::Fault::again) {
            failed = done.error();
        }
    };
    for (Lane& lane : lanes_) {
        note(lane.uplink->step());
        tell_refusals(lane);
    }
    note(downlink_->step());
    if (now_us - committed_us_ >= commits_apart_us) {
        committed_us_ = now_us;
        for (Lane& lane : lanes_)
            note(lane.uplink->commit());
    }
    next_turn_us_ = now_us + until_next_turn_us(now_us, taken() - taken_before);
    turned_us_ = now_us;
    if (failed) return std::unexpected(*failed);
    return worked;
}

void Bridge::tell_refusals(Lane& lane) {
    const std::uint64_t refused = lane.uplink->counts().refused;
    if (refused == lane.refused) return;
    doors_.journal.warn(
        tag,
        fmt::format(
            "Kafka will never take {} of the {} log's records, which stay there: {}",
            refused - lane.refused,
            log::name_of(lane.log_class),
            lane.uplink->last_refusal()
        )
    );
    lane.refused = refused;
}

void Bridge::wait(std::int64_t timeout_us) {
    const std::int64_t until_turn_us = next_turn_us_ - doors_.clock.monotonic_us();
    if (until_turn_us > 0) return doors_.clock.wait_us(std::min(timeout_us, until_turn_us));
    // There is more in the log than may be under way: its end is no news.
    if (telemetry().is_full()) return doors_.clock.wait_us(std::min(timeout_us, full_wait_us));
    telemetry().wait(std::min(timeout_us, wait_us_max));
}

// Says once that Kafka went, with how long the log lasts, and once that it is back.
void Bridge::look_around() {
    if (auto holdings = log::look_at(doors_.disk, options_.log_directory, doors_.clock.unix_ms()))
        for (Lane& lane : lanes_)
            lane.autonomy_days =
                holdings->at(static_cast<std::size_t>(lane.log_class)).autonomy_days.value_or(-1);
    // Not look_at_readers(): it counts the backlog's records, and so costs the more the longer
    // Kafka was away, just when the bridge has to catch up.
    const auto words = log::read_words(doors_.disk, options_.log_directory);
    if (auto places = log::list_places(doors_.disk, options_.log_directory); places && words)
        for (Lane& lane : lanes_)
            for (const log::Place& place : *places)
                if (place.reader == reader_name && place.log_class == lane.log_class) {
                    const std::uint64_t end =
                        words->at(static_cast<std::size_t>(lane.log_class)).end;
                    lane.lag_bytes = end - std::min(end, place.slot.offset.position);
                }
    std::string trouble = bulk_->trouble();
    if (trouble.empty()) trouble = urgent_->trouble();
    if (trouble.empty()) trouble = downlink_->trouble();
    if (trouble.empty() != trouble_.empty()) {
        std::swap(trouble, trouble_);
        if (trouble_.empty())
            doors_.journal.info(tag, status());
        else
            doors_.journal.warn(tag, status());
    } else {
        trouble_ = std::move(trouble);
    }
}

std::string Bridge::status() const {
    if (trouble_.empty()) return "Kafka is there";
    double days = -1;
    for (const Lane& lane : lanes_)
        if (is_required(lane.log_class) && lane.autonomy_days >= 0 &&
            (days < 0 || lane.autonomy_days < days))
            days = lane.autonomy_days;
    return fmt::format(
        "Kafka is away ({}); the log holds what comes{}",
        trouble_,
        days < 0   ? std::string{}
        : days < 1 ? fmt::format(", for {:.1f} hours at this rate", days * hours_a_day)
                   : fmt::format(", for {:.1f} days at this rate", days)
    );
}

const metrics::Metrics& Bridge::metrics() {
    const auto rise =
        [this](const char* name, std::uint64_t now, std::uint64_t told, const std::string& label) {
            metrics_.add(name, static_cast<double>(now - told), label);
        };
    for (Lane& lane : lanes_) {
        const UplinkCounts& now = lane.uplink->counts();
        const std::string label = label_of(lane.log_class);
        const UplinkCounts& told = lane.told;
        rise("stator_bridge_forwarded_records_total", now.forwarded, told.forwarded, label);
        rise("stator_bridge_forwarded_bytes_total", now.bytes, told.bytes, label);
        rise("stator_bridge_again_records_total", now.again, told.again, label);
        rise("stator_bridge_refused_records_total", now.refused, told.refused, label);
        rise("stator_bridge_missed_bytes_total", now.missed_bytes, told.missed_bytes, label);
        lane.told = now;
        metrics_.set(
            "stator_bridge_in_flight_records", static_cast<double>(lane.uplink->in_flight()), label
        );
        metrics_.set("stator_bridge_lag_bytes", static_cast<double>(lane.lag_bytes), label);
        if (lane.autonomy_days >= 0)
            metrics_.set("stator_bridge_autonomy_days", lane.autonomy_days, label);
    }
    const DownlinkCounts& down = downlink_->counts();
    rise("stator_bridge_brought_records_total", down.brought, down_told_.brought, {});
    rise("stator_bridge_brought_refused_total", down.refused, down_told_.refused, {});
    down_told_ = down;
    metrics_.set("stator_bridge_kafka_connected", trouble_.empty() ? 1 : 0);
    return metrics_;
}

}  // namespace stator::bridge
