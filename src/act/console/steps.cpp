#include "act/console/steps.h"

#include "act/console/suspicion.h"
#include "world/json/json.h"

#include <fmt/format.h>

#include <algorithm>

namespace stator::console {

using nlohmann::json;

using stator::json::flag_of;
using stator::json::number_of;
using stator::json::text_of;

namespace {

constexpr std::size_t events_max = 200;
constexpr std::size_t timeline_max = 12;
// So many readings without an alarm after a new model count as "the false alarms have stopped".
constexpr std::uint64_t quiet_readings_wanted = 120;

json parsed(const std::string& payload) {
    json value = json::parse(payload, nullptr, false);
    return value.is_object() ? value : json::object();
}

std::string seconds(std::int64_t duration_ms) {
    return fmt::format("{:.1f} s", static_cast<double>(duration_ms) / 1000.0);
}

}  // namespace

Steps::Steps(
    std::string device,
    std::string level2,
    const wire::Topics& topics,
    std::int64_t site_unix_ms,
    std::string site_measured
)
    : device_{std::move(device)},
      level2_{std::move(level2)},
      topics_{topics},
      start_unix_ms_{site_unix_ms} {
    const std::array<const char*, step_count> titles{
        "The site has its own CA, keys and admin token",
        "The device enrolled, was activated, and publishes over mutual TLS",
        "Each message is in the log before it is acknowledged",
        "The stream became raw training data",
        "Extract, drift and train made the commissioning model from the healthy baseline",
        "The signed int8 model runs on the device; level 2 runs its own",
        "A fault was found, acted upon, and the action's effect was observed",
        "A changed load was learnt: its false alarms stopped, the old fault is still found"
    };
    for (std::size_t i = 0; i < step_count; ++i)
        steps_.at(i).title = titles.at(i);
    steps_[0].done = true;
    steps_[0].at_unix_ms = site_unix_ms;
    steps_[0].measured = std::move(site_measured);
}

void Steps::finish(std::size_t step, std::int64_t unix_ms, std::string measured) {
    Step& it = steps_.at(step);
    if (it.done || !steps_.at(step - 1).done) return;
    it.done = true;
    it.at_unix_ms = unix_ms;
    it.took_ms = unix_ms - steps_.at(step - 1).at_unix_ms;
    it.measured = std::move(measured);
}

void Steps::tell(
    const std::string& kind, std::int64_t unix_ms, const std::string& text, bool line
) {
    events_.push_front({.kind = kind, .at_unix_ms = unix_ms, .text = text});
    if (events_.size() > events_max) events_.pop_back();
    if (!line) return;
    timeline_.push_back({.kind = kind, .at_unix_ms = unix_ms, .text = text});
    if (timeline_.size() > timeline_max) timeline_.erase(timeline_.begin());
}

void Steps::on_record(const log::Record& record) {
    if (record.receive_unix_ms < start_unix_ms_) return;  // another story's
    switch (topics_.place_of(record.topic).kind) {
        case wire::TopicKind::data:
            return on_telemetry(record);
        case wire::TopicKind::inference:
            return on_level1(record);
        case wire::TopicKind::alert:
            return on_level2(record);
        case wire::TopicKind::control:
            return on_control(record);
        case wire::TopicKind::event:
            return on_event(record);
        case wire::TopicKind::unknown:
        case wire::TopicKind::command:
        case wire::TopicKind::stored:
        case wire::TopicKind::waveform:
        case wire::TopicKind::presence:
            break;
    }
}

void Steps::on_telemetry(const log::Record& record) {
    const json telemetry = parsed(record.payload);
    if (text_of(telemetry, "deviceID") != device_) return;
    const std::string run = device_ + "/" + std::to_string(number_of(telemetry, "boot"));
    const auto seq = static_cast<std::uint64_t>(number_of(telemetry, "seq"));
    std::uint64_t& last = last_seq_[run];
    if (seq != 0 && seq <= last) {
        ++duplicates_;
        return;
    }
    last = std::max(last, seq);
    ++readings_;
    ++readings_since_model_;
    finish(1, record.receive_unix_ms, fmt::format("first reading of {} stored", device_));
    if (record.identity == log::Identity::certificate)
        finish(
            2,
            record.receive_unix_ms,
            fmt::format("sender {} verified by its certificate", record.sender)
        );
    if (flag_of(telemetry, "alarm")) {
        quiet_readings_ = 0;
        return;
    }
    ++quiet_readings_;
    if (alarm_active_) {
        // The "cleared" message may have been shed; a calm reading says the same.
        alarm_active_ = false;
    }
    if (second_model_unix_ms_ != 0 && !false_alarms_stopped_ &&
        quiet_readings_ >= quiet_readings_wanted &&
        readings_since_model_ >= quiet_readings_wanted) {
        false_alarms_stopped_ = true;
        quiet_after_ms_ =
            static_cast<std::uint64_t>(record.receive_unix_ms - second_model_unix_ms_);
        tell(
            "note",
            record.receive_unix_ms,
            fmt::format("the false alarms have stopped: {} calm readings", quiet_readings_),
            false
        );
    }
}

void Steps::on_level1(const log::Record& record) {
    const json inference = parsed(record.payload);
    if (text_of(inference, "deviceID") != device_) return;
    const bool alarm = flag_of(inference, "alarm");
    if (alarm == alarm_active_) return;
    alarm_active_ = alarm;
    if (alarm) {
        alarm_unix_ms_ = record.receive_unix_ms;
        tell(
            "alarm",
            record.receive_unix_ms,
            fmt::format(
                "level 1 over its limit: {:.2f} of {:.2f}",
                number_of(inference, "inference"),
                number_of(inference, "threshold")
            ),
            true
        );
    } else {
        tell("note", record.receive_unix_ms, "level 1 back under its limit", false);
    }
}

void Steps::on_level2(const log::Record& record) {
    const json alert = parsed(record.payload);
    if (text_of(alert, "deviceID") != device_) return;
    const bool alarm = flag_of(alert, "alarm");
    if (alarm == alarm2_active_) return;
    alarm2_active_ = alarm;
    if (!alarm) {
        tell("note", record.receive_unix_ms, "level 2 back under its limit", false);
        return;
    }
    alarm2_unix_ms_ = record.receive_unix_ms;
    const std::string suspected = spaced(text_of(alert, "suspected"));
    std::string because;
    if (const auto shares = alert.find("contributions");
        shares != alert.end() && shares->is_object()) {
        double largest = 0;
        for (const auto& [name, share] : shares->items()) {
            if (!share.is_number() || share.get<double>() <= largest) continue;
            largest = share.get<double>();
            because = fmt::format(", mostly {} ({:.0f} %)", spaced(name), largest * 100.0);
        }
    }
    tell(
        "alarm",
        record.receive_unix_ms,
        fmt::format(
            "level 2 agrees: {}{}{}",
            text_of(alert, "severity"),
            suspected.empty() ? "" : "; suspected cause: " + suspected,
            because
        ),
        true
    );
    maybe_finish_6(record.receive_unix_ms);
}

void Steps::on_control(const log::Record& record) {
    const json command = parsed(record.payload);
    const std::string name = text_of(command, "command");
    const std::string payload = text_of(command, "payload");
    if (name == "extract-data") {
        finish(3, record.receive_unix_ms, fmt::format("{} after {} readings", payload, readings_));
        tell("note", record.receive_unix_ms, "new raw data: " + payload, false);
    } else if (name == "train-model") {
        finish(4, record.receive_unix_ms, "trained on " + payload);
        if (false_verdict_unix_ms_ != 0 && drift_unix_ms_ == 0)
            drift_unix_ms_ = record.receive_unix_ms;
        tell("drift", record.receive_unix_ms, "a model is to be trained on " + payload, false);
    } else if (name == "download-model") {
        tell("note", record.receive_unix_ms, "all may run " + payload, false);
    }
}

void Steps::on_event(const log::Record& record) {
    const json event = parsed(record.payload);
    const std::string kind = text_of(event, "event");
    if (kind == "model") {
        on_model_event(record, record.payload);
    } else if (text_of(event, "deviceID") != device_) {
        return;
    } else if (kind == "action") {
        on_action_event(record, record.payload);
    } else if (kind == "gap") {
        ++gaps_;
        tell("note", record.receive_unix_ms, "a gap was declared: " + record.payload, false);
    } else if (kind == "sensor-fault") {
        tell(
            "note",
            record.receive_unix_ms,
            fmt::format("sensor {}: {}", text_of(event, "channel"), text_of(event, "fault")),
            false
        );
    }
}

void Steps::on_model_event(const log::Record& record, const std::string& text) {
    const json event = parsed(text);
    const std::string state = text_of(event, "state");
    const std::string name = text_of(event, "model");
    const bool is_device = text_of(event, "deviceID") == device_;
    const int level = is_device ? 1 : 2;
    if (!is_device && record.sender != level2_) return;
    if (state == "refused") {
        tell(
            "model",
            record.receive_unix_ms,
            fmt::format("level {} refused {}: {}", level, name, text_of(event, "reason")),
            false
        );
        return;
    }
    if (state != "confirmed") return;
    const auto release = static_cast<std::uint64_t>(number_of(event, "release"));
    RunningModel& running = models_[level];
    if (running.name == name && running.release == release) return;
    running = {.name = name, .release = release, .state = state};
    tell(
        "model",
        record.receive_unix_ms,
        fmt::format("level {} runs {} (release {})", level, name, release),
        false
    );
    if (level == 1) {
        readings_since_model_ = 0;
        if (drift_unix_ms_ != 0 && second_model_unix_ms_ == 0)
            second_model_unix_ms_ = record.receive_unix_ms;
    }
    if (models_.contains(1) && models_.contains(2))
        finish(
            5,
            record.receive_unix_ms,
            fmt::format(
                "level 1: {} (release {}), level 2: {} (release {})",
                models_[1].name,
                models_[1].release,
                models_[2].name,
                models_[2].release
            )
        );
}

void Steps::on_action_event(const log::Record& record, const std::string& text) {
    const json event = parsed(text);
    const std::string state = text_of(event, "state");
    const double flow_l_per_min = number_of(event, "flow_l_per_min");
    const std::int64_t unix_ms = record.receive_unix_ms;
    if (state == "accepted" || state == "sent") {
        if (action_ == "acting") return;
        action_ = "acting";
        tell("action", unix_ms, "the valve opens, the backup pump starts", true);
    } else if (state == "effect-observed") {
        action_ = "confirmed";
        effect_unix_ms_ = unix_ms;
        effect_flow_l_per_min_ = flow_l_per_min;
        tell("effect", unix_ms, fmt::format("backup flow {:.1f} l/min", flow_l_per_min), true);
        maybe_finish_6(unix_ms);
        maybe_finish_7(unix_ms);
    } else if (state == "effect-not-observed") {
        action_ = "not-observed";
        tell("alarm", unix_ms, "effect not observed: the backup pump gives no flow", true);
    } else if (state == "refused") {
        action_ = "refused";
        tell("action", unix_ms, "not acted: " + text_of(event, "reason"), true);
    } else if (state == "released") {
        action_.clear();
        tell("action", unix_ms, "the valve closes, the backup pump stops", false);
    }
}

void Steps::maybe_finish_6(std::int64_t unix_ms) {
    const bool closed = alarm_unix_ms_ != 0 && effect_unix_ms_ >= alarm_unix_ms_;
    if (!closed || alarm2_unix_ms_ == 0) return;
    finish(
        6,
        unix_ms,
        fmt::format(
            "alarm to observed effect {}, flow {:.1f} l/min; level 2 agreed {} level 1",
            seconds(effect_unix_ms_ - alarm_unix_ms_),
            effect_flow_l_per_min_,
            alarm2_unix_ms_ < alarm_unix_ms_ ? seconds(alarm_unix_ms_ - alarm2_unix_ms_) + " before"
                                             : seconds(alarm2_unix_ms_ - alarm_unix_ms_) + " after"
        )
    );
}

void Steps::maybe_finish_7(std::int64_t unix_ms) {
    if (!false_alarms_stopped_ || alarm_unix_ms_ < second_model_unix_ms_) return;
    finish(
        7,
        unix_ms,
        fmt::format(
            "verdict to drift {}, drift to new model {}, false alarms gone {} later; old fault "
            "found again",
            seconds(drift_unix_ms_ - false_verdict_unix_ms_),
            seconds(second_model_unix_ms_ - drift_unix_ms_),
            seconds(static_cast<std::int64_t>(quiet_after_ms_))
        )
    );
}

void Steps::on_verdict(const std::string& verdict, const std::string& note, std::int64_t unix_ms) {
    tell("verdict", unix_ms, verdict + (note.empty() ? "" : ": " + note), true);
    if (verdict == "false" && steps_[6].done && false_verdict_unix_ms_ == 0)
        false_verdict_unix_ms_ = unix_ms;
}

void Steps::on_note(const std::string& kind, const std::string& text, std::int64_t unix_ms) {
    tell(kind, unix_ms, text, kind == "fault" || kind == "repair");
}

}  // namespace stator::console
