#include "act/alarm/alarm.h"

#include "world/json/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace stator::alarm {

using nlohmann::json;

namespace {
constexpr std::size_t records_at_once = 500;
constexpr std::size_t episodes_shown = 100;
constexpr int silence = 0;   // the level of an alarm that nobody sent
constexpr int sensors = -1;  // and of one about a device's sensors: a broken one is no
                             // contribution, but stands there by its name

// Whose word on what: the key of the last message that counted.
std::string voice_of(std::string_view source, int level, std::string_view device) {
    return fmt::format("{}/{}/{}", source, level, device);
}
}  // namespace

Alarm::Alarm(doors::Doors& doors, metrics::Metrics& metrics, Options options)
    : doors_{doors}, metrics_{metrics}, options_{std::move(options)} {}

Outcome<std::unique_ptr<Alarm>> Alarm::make(
    doors::Doors& doors, stream::Stream& stream, metrics::Metrics& metrics, Options options
) {
    std::unique_ptr<Alarm> made{new Alarm{doors, metrics, std::move(options)}};
    auto store = alarms::Alarms::open(doors, made->options_.file, database::Access::write);
    if (!store) return std::unexpected(store.error());
    made->store_ = std::move(*store);
    for (const auto& [log_class, source, required] :
         {std::tuple{log::Class::alarm, &made->alarms_, true},
          std::tuple{log::Class::control, &made->control_, false}}) {
        auto opened = stream.open(
            log_class, {.name = "alarm", .required = required, .start = stream::Start::earliest}
        );
        if (!opened) return std::unexpected(opened.error());
        *source = std::move(*opened);
    }
    return made;
}

bool Alarm::watches(std::string_view device) const {
    return std::ranges::any_of(options_.assets, [&](const asset::Asset& asset) {
        return asset.device.view() == device;
    });
}

std::string Alarm::severity_of(const std::string& device, double value) const {
    const auto asset = std::ranges::find(options_.assets, device, [](const asset::Asset& a) {
        return a.device.view();
    });
    const bool known = asset != options_.assets.end();
    const double potential = known ? static_cast<double>(asset->severity_potential) : 0.5;
    const double imminent = known ? static_cast<double>(asset->severity_imminent) : 0.8;
    if (value >= imminent) return "imminent";
    return value >= potential ? "potential" : "none";
}

Outcome<bool> Alarm::fresh(const std::string& source, std::int64_t boot, std::int64_t seq) {
    if (seq == 0) return true;  // a sender without numbers: nothing to know it again by
    auto place = store_->place(source);
    if (!place) return std::unexpected(place.error());
    if (boot < place->boot || (boot == place->boot && seq <= place->seq)) {
        metrics_.add("stator_alarm_duplicates_total");
        return false;
    }
    if (auto done = store_->set_place(source, {.boot = boot, .seq = seq}); !done)
        return std::unexpected(done.error());
    return true;
}

Outcome<void> Alarm::end(
    const std::string& device, int level, std::int64_t unix_ms, const std::string& why
) {
    auto lasting = store_->lasting(device, level);
    if (!lasting) return std::unexpected(lasting.error());
    if (!*lasting) return {};
    alarms::Episode episode = **lasting;
    episode.end_unix_ms = std::max(unix_ms, episode.start_unix_ms + 1);
    if (!why.empty() && episode.note.empty()) episode.note = why;
    doors_.journal.info(
        "alarm",
        fmt::format("{}: level {} ended{}", device, level, why.empty() ? std::string{} : ": " + why)
    );
    return store_->save(episode);
}

Outcome<void> Alarm::hear(const Said& said) {
    if (!said.alarm) return end(said.device, said.level, said.time_unix_ms, "");
    auto lasting = store_->lasting(said.device, said.level);
    if (!lasting) return std::unexpected(lasting.error());
    alarms::Episode episode;
    if (*lasting) {
        episode = **lasting;
    } else {
        episode.device = said.device;
        episode.level = said.level;
        episode.start_unix_ms = said.time_unix_ms;
        metrics_.add("stator_alarm_raised_total", 1, fmt::format("level=\"{}\"", said.level));
        doors_.journal.info(
            "alarm", fmt::format("{}: level {} at {:.2f}", said.device, said.level, said.value)
        );
    }
    if (said.value >= episode.peak) {
        episode.peak = said.value;
        episode.severity = severity_of(said.device, said.value);
        for (const wire::NamedValue& share : said.contributions)
            episode.contributions[std::string{share.name.view()}] =
                static_cast<double>(share.value);
        // Far over the limit all features are at the end of their range: a kind that was named
        // before says more than "unclear" now.
        if (!said.evidence.empty() || episode.evidence.empty()) {
            episode.suspected = said.suspected;
            episode.evidence = said.evidence;
        }
    }
    episode.model = said.model;
    return store_->save(episode);
}

Outcome<void> Alarm::on_alarm_record(const log::Record& record) {
    Said said;
    std::string source;
    std::int64_t boot = 0;
    std::int64_t seq = 0;
    if (record.topic == options_.level1_topic) {
        const auto inference = wire::decode_telemetry(record.payload);
        if (!inference) return {};
        source = said.device = inference->device.view();
        boot = inference->boot.value_or(0);
        seq = static_cast<std::int64_t>(inference->seq.value_or(0));
        const float value = inference->inference.value_or(0.0F);
        said.value = static_cast<double>(value);
        // A device of the reference design sends an inference only when it is over its threshold,
        // and knows no "alarm" member.
        const bool plain = record.payload.find("\"alarm\"") == std::string::npos;
        said.alarm = plain ? value >= inference->threshold.value_or(0.5F) : inference->alarm;
        said.model = inference->model.view();
        said.time_unix_ms = inference->time_unix_ms.value_or(record.receive_unix_ms);
    } else if (record.topic == options_.level2_topic) {
        const auto alert = wire::decode_alert(record.payload);
        if (!alert) return {};
        source = record.sender;
        said.device = alert->device.view();
        said.level = 2;
        boot = alert->boot;
        seq = static_cast<std::int64_t>(alert->seq);
        said.value = static_cast<double>(alert->inference);
        said.alarm = alert->alarm;
        said.model = alert->model.view();
        said.time_unix_ms = alert->time_unix_ms;
        said.contributions = alert->contributions;
        said.suspected = alert->suspected.view();
        said.evidence = alert->evidence.view();
    } else {
        return {};
    }
    auto is_fresh = fresh(voice_of(source, said.level, said.device), boot, seq);
    if (!is_fresh) return std::unexpected(is_fresh.error());
    return *is_fresh ? hear(said) : Outcome<void>{};
}

Outcome<void> Alarm::on_presence(const log::Record& record) {
    const auto presence = wire::decode_presence(record.payload);
    if (!presence || !watches(presence->device.view())) return {};
    const std::string device{presence->device.view()};
    if (presence->online) return end(device, silence, record.receive_unix_ms, "");
    auto lasting = store_->lasting(device, silence);
    if (!lasting) return std::unexpected(lasting.error());
    if (*lasting) return {};
    alarms::Episode episode;
    episode.device = device;
    episode.level = silence;
    episode.severity = "potential";
    episode.start_unix_ms = record.receive_unix_ms;
    episode.note = "the device is silent";
    return store_->save(episode);
}

// One episode for all sensors of a device that are broken at a time; the last that is mended ends
// it.
Outcome<void> Alarm::on_sensor(
    const std::string& device, const wire::SensorEvent& event, std::int64_t unix_ms
) {
    auto lasting = store_->lasting(device, sensors);
    if (!lasting) return std::unexpected(lasting.error());
    const std::string channel{event.channel.view()};
    const std::string text = fmt::format("{} {}", channel, wire::name_of(event.fault));
    alarms::Episode episode;
    if (*lasting) episode = **lasting;
    if (event.fault == wire::SensorFault::none) {
        if (episode.contributions.erase(channel) == 0) return {};
        if (episode.contributions.empty()) return end(device, sensors, unix_ms, "");
        return store_->save(episode);
    }
    if (!*lasting) {
        episode.device = device;
        episode.level = sensors;
        episode.severity = "potential";
        episode.start_unix_ms = unix_ms;
        episode.note = "sensor: " + text;
        metrics_.add("stator_alarm_raised_total", 1, fmt::format("level=\"{}\"", sensors));
    } else if (episode.verdict == "open" && episode.note.find(text) == std::string::npos) {
        episode.note += ", " + text;
    }
    episode.contributions[channel] = 1.0;
    doors_.journal.info("alarm", fmt::format("{}: sensor {}", device, text));
    return store_->save(episode);
}

Outcome<void> Alarm::on_control_record(const log::Record& record) {
    if (record.topic.starts_with("stator/presence/")) return on_presence(record);
    if (!record.topic.ends_with("/event")) return {};
    const auto event = wire::decode_event(record.payload);
    if (!event) return {};
    const std::string source{event->device.view()};
    // The two logs are read one after the other: an alarm may be younger than this news.
    const auto end_older = [&](std::string_view device, int level, const std::string& why) {
        const auto since = said_since(source, level, *event, device);
        if (!since) return Outcome<void>{std::unexpected(since.error())};
        if (*since) return Outcome<void>{};
        return end(std::string{device}, level, record.receive_unix_ms, why);
    };
    if (const auto* sensor = std::get_if<wire::SensorEvent>(&event->what)) {
        if (!watches(source)) return {};
        auto is_fresh = fresh(
            voice_of(source, sensors, source), event->boot, static_cast<std::int64_t>(event->seq)
        );
        if (!is_fresh) return std::unexpected(is_fresh.error());
        return *is_fresh ? on_sensor(source, *sensor, record.receive_unix_ms) : Outcome<void>{};
    }
    if (std::holds_alternative<wire::StartedEvent>(event->what)) {
        const std::string why = "the device started again";
        if (auto done = end(source, sensors, record.receive_unix_ms, why); !done) return done;
        return end_older(source, 1, why);
    }
    const auto* model = std::get_if<wire::ModelEvent>(&event->what);
    if (model == nullptr || model->state != wire::ModelState::confirmed) return {};
    const std::string why = "a new model took over";
    if (watches(source)) return end_older(source, 1, why);
    for (const asset::Asset& asset : options_.assets)
        if (auto done = end_older(asset.device.view(), 2, why); !done) return done;
    return {};
}

Outcome<bool> Alarm::said_since(
    const std::string& source, int level, const wire::DeviceEvent& event, std::string_view device
) {
    auto place = store_->place(voice_of(source, level, device));
    if (!place) return std::unexpected(place.error());
    const auto seq = static_cast<std::int64_t>(event.seq);
    return place->boot > event.boot || (place->boot == event.boot && place->seq > seq);
}

// All of a batch, but for what an earlier life had kept and could not commit: not every message has
// a number of its own. A log that began anew is known by its later times.
Outcome<void> Alarm::keep(const std::vector<log::Record>& records, log::Class log_class) {
    const std::string read_to = fmt::format("log/{}", log::name_of(log_class));
    const std::string read_at = read_to + "/unix_ms";
    auto done = store_->place(read_to);
    if (!done) return std::unexpected(done.error());
    auto done_at = store_->place(read_at);
    if (!done_at) return std::unexpected(done_at.error());
    const log::Offset next{
        .epoch = static_cast<std::uint32_t>(done->boot),
        .position = static_cast<std::uint64_t>(done->seq)
    };
    std::int64_t newest_unix_ms = done_at->seq;
    for (const log::Record& record : records) {
        if (record.offset < next && record.receive_unix_ms <= done_at->seq) continue;
        newest_unix_ms = std::max(newest_unix_ms, record.receive_unix_ms);
        auto kept =
            log_class == log::Class::alarm ? on_alarm_record(record) : on_control_record(record);
        if (!kept) return kept;
    }
    const log::Offset& end = records.back().next;
    const alarms::Place place{.boot = end.epoch, .seq = static_cast<std::int64_t>(end.position)};
    if (auto set = store_->set_place(read_to, place); !set) return set;
    return store_->set_place(read_at, {.boot = 0, .seq = newest_unix_ms});
}

Outcome<bool> Alarm::step() {
    bool worked = false;
    for (stream::Source* source : {alarms_.get(), control_.get()}) {
        auto records = source->take(records_at_once);
        if (!records) return std::unexpected(records.error());
        if (records->empty()) continue;
        // What was taken is not taken again by this process: if it cannot be kept, start afresh.
        const auto ended = [](const Error& error) {
            return fail(base::Fault::closed, "alarms.db: " + error.what);
        };
        auto transaction = database::Transaction::begin(store_->database());
        if (!transaction) return ended(transaction.error());
        const log::Class log_class =
            source == alarms_.get() ? log::Class::alarm : log::Class::control;
        if (auto done = keep(*records, log_class); !done) return ended(done.error());
        if (auto done = transaction->commit(); !done) return ended(done.error());
        if (auto done = source->commit(records->back().next); !done)
            return std::unexpected(done.error());
        worked = true;
    }
    return worked;
}

Outcome<void> Alarm::verdict(
    std::int64_t episode,
    const std::string& verdict,
    const std::string& note,
    const std::string& who
) {
    auto found = store_->find(episode);
    if (!found) return std::unexpected(found.error());
    if (!*found) return fail(base::Fault::not_found, fmt::format("there is no alarm {}", episode));
    alarms::Episode it = **found;
    it.verdict = verdict;
    it.note = note;
    it.who = who;
    it.acknowledged = verdict != "open";
    metrics_.add("stator_alarm_verdicts_total", 1, fmt::format("verdict=\"{}\"", verdict));
    doors_.journal.info(
        "alarm", fmt::format("{}: level {}: {} says {} {}", it.device, it.level, who, verdict, note)
    );
    return store_->save(it);
}

std::string Alarm::episodes_json() {
    json list = json::array();
    if (const auto episodes = store_->newest(episodes_shown))
        for (const alarms::Episode& it : *episodes)
            list.push_back(
                {{"id", it.id},
                 {"device", it.device},
                 {"level", it.level},
                 {"state", std::string{alarms::state_of(it)}},
                 {"severity", it.severity},
                 {"start_unix_ms", it.start_unix_ms},
                 {"end_unix_ms", it.end_unix_ms},
                 {"peak", it.peak},
                 {"model", it.model},
                 {"verdict", it.verdict},
                 {"note", it.note},
                 {"contributions", it.contributions},
                 {"suspected", it.suspected},
                 {"evidence", it.evidence}}
            );
    return list.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace stator::alarm
