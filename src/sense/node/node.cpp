#include "sense/node/node.h"

#include <algorithm>
#include <cmath>

namespace stator::node {

using base::Fault;
using wire::Order;

Node::Node(hal::Hal hal, const asset::Asset& asset, const Config& config, Memory memory)
    : hal_{hal},
      asset_{asset},
      config_{config},
      event_topic_{config.topics.event_of(asset.device.view())},
      command_topic_{config.topics.command_of(asset.device.view())},
      stored_topic_{config.topics.stored_of(asset.device.view())},
      waveform_topic_{config.topics.waveform_of(asset.device.view())},
      slots_{hal_.flash},
      outbox_{memory.readings, memory.events},
      courier_{hal_, config_, outbox_},
      engine_{asset_, hal_.verifier, memory.arenas, config_.level},
      activation_{hal_, config_, asset.device.view(), slots_.known_active()},
      sampling_{hal_.adc, asset_, memory.counts, memory.extractor},
      recorder_{asset_, config_, sampling_, outbox_, memory.frame},
      actor_{hal_, asset_, config_, outbox_},
      updater_{hal_, asset_, config_, slots_, engine_, outbox_, memory.envelope},
      firmware_{hal_, config_, outbox_} {
    start();
}

void Node::start() {
    now_us_ = hal_.time.monotonic_us();
    next_reading_us_ = now_us_;
    kept_ = slots_.actor();
    actor_.start(now_us_, kept_);
    const auto boot = slots_.count_boot();
    if (boot)
        boot_ = *boot;
    else
        hal_.log.warn("flash: this start could not be counted, so nothing will be published");
    outbox_.start(boot_);
    if (boot) use_flash();
    updater_.load();
    firmware_.start(now_us_);
    bool subscribed = hal_.link.subscribe(config_.topics.control.view()) &&
                      hal_.link.subscribe(command_topic_.view()) &&
                      hal_.link.subscribe(stored_topic_.view());
    if (config_.listens_to_alerts)
        subscribed = subscribed && hal_.link.subscribe(config_.topics.alert.view());
    if (!subscribed) hal_.log.warn("link: a subscription was not taken");
}

void Node::use_flash() {
    if (hal_.backlog == nullptr) return;
    facts_ = {
        .device = asset_.device.view(),
        .firmware = config_.firmware.view(),
        .feature_set = asset::feature_set_hash(asset_),
        .feature_count = asset_.features.size(),
        .models = models_,
    };
    backlog_.emplace(*hal_.backlog, boot_, facts_, outbox_.shed());
    outbox_.use(*backlog_);
}

bool Node::leave() {
    leaving_ = true;
    outbox_.tend(true, now_us_ / 1000);
    return !backlog_ || outbox_.in_ram() == 0;
}

bool Node::step() {
    now_us_ = hal_.time.monotonic_us();
    bool busy = poll_link();
    if (activation_.step(now_us_)) activate();
    if (activation_.active() && boot_ != 0) {
        if (!started_told_) {
            started_told_ = true;
            wire::StartedEvent started;
            started.firmware = config_.firmware.view();
            started.model = engine_.model();
            started.cause = config_.started_by;
            outbox_.push(started, hal_.time.unix_ms());
        }
        if (keep_actor_memory()) {
            busy = true;
        } else if (now_us_ >= next_reading_us_ && !about_to_leave()) {
            read();
            busy = true;
        }
        actor_.step(now_us_);
        updater_.step(now_us_, !activation_.busy() && !firmware_.busy());
        busy = courier_.publish(now_us_, *this) || busy;
        outbox_.tend(about_to_leave(), now_us_ / 1000);
    }
    // A firmware on trial that never comes as far as this is over, too: at its deadline.
    // Once it has the Fetch door it keeps it: a model that is wanted meanwhile waits.
    const bool its_turn = firmware_.busy() || updater_.state() == UpdateState::idle;
    const bool fetch_free = activation_.active() && !activation_.busy() && its_turn;
    firmware_.step(now_us_, fetch_free, actor_.state() == ActorState::idle);
    hal_.watchdog.feed();
    return busy || updater_.state() == UpdateState::erasing ||
           firmware_.state() == FirmwareUpdate::erasing;
}

// What waits in RAM would be lost, or must be moved first: nothing is added to it any more.
bool Node::about_to_leave() const {
    if (leaving_) return true;
    return firmware_.state() == FirmwareUpdate::leaving && actor_.state() == ActorState::idle;
}

void Node::activate() {
    const bool active = activation_.active();
    hal_.log.info(active ? "activated" : "the registry says: not active");
    if (!slots_.remember_active(active)) hal_.log.warn("flash: activation was not remembered");
    next_reading_us_ = now_us_;
    if (!active) actor_.stop("not active", now_us_);
}

// In a step of its own: the reading that is due comes with the next.
bool Node::keep_actor_memory() {
    const ActorMemory now = actor_.memory(now_us_);
    if (now == kept_) return false;
    kept_ = now;  // a flash that fails is not asked at every step
    if (!slots_.remember_actor(now)) hal_.log.warn("flash: the interlock was not remembered");
    return true;
}

bool Node::poll_link() {
    hal::LinkEvent event;
    constexpr int events_max = 32;  // a step is bounded
    int count = 0;
    while (count < events_max && hal_.link.poll(event)) {
        ++count;
        hear(event);
    }
    return count > 0;
}

void Node::hear(const hal::LinkEvent& event) {
    if (event.kind == hal::LinkEvent::Kind::message) {
        hear_message(event.topic, event.payload);
    } else if (courier_.hear(event, now_us_)) {
        updater_.count_acknowledgement();
        firmware_.count_acknowledgement();
    }
}

void Node::hear_message(std::string_view topic, std::string_view payload) {
    if (topic == stored_topic_.view()) {
        courier_.hear_mark(payload);
    } else if (topic == command_topic_.view()) {
        hear_command(payload, true);
    } else if (topic == config_.topics.control.view()) {
        hear_command(payload, false);
    } else if (topic == config_.topics.alert.view()) {
        hear_alert(payload);
    }
}

void Node::hear_command(std::string_view payload, bool own) {
    const auto command = wire::decode_command(payload);
    if (!command) return;
    // The site says which model is wanted when it sees us come, which may be before the answer of
    // the registry: the wish waits.
    if (command->order == Order::download_model) updater_.request(command->payload.view());
    if (!own) return;  // a broadcast never moves an output, nor restarts anything
    if (command->order == Order::update_firmware) firmware_.request(command->payload.view());
    if (!activation_.active()) return;
    switch (command->order) {
        case Order::backup_on:
            actor_.ask(Asker::person, command->payload.view(), 0, now_us_);
            break;
        case Order::backup_off:
            actor_.stop("backup-off", now_us_);
            break;
        case Order::reset:
            actor_.stop("reset", now_us_);
            actor_.alarm_ended();
            break;
        case Order::lock_out:
            actor_.lock_out(true, now_us_);
            break;
        case Order::unlock:
            actor_.lock_out(false, now_us_);
            break;
        case Order::record_waveform:
            recorder_.ask(wire::WaveformCause::order, command->payload.view(), now_us_);
            break;
        default:
            break;
    }
}

void Node::hear_alert(std::string_view payload) {
    if (!config_.listens_to_alerts || !activation_.active()) return;
    const auto alert = wire::decode_alert(payload);
    if (!alert || alert->device.view() != asset_.device.view()) return;
    if (!alert->alarm) {
        actor_.ask_no_more(Asker::level2, now_us_);
    } else if (alert->severity == wire::Severity::imminent) {
        // An alert that lay in a queue is worth less than the time it lay there.
        std::int64_t age_ms = 0;
        if (hal_.time.synced() && alert->time_unix_ms > 0)
            age_ms = std::max<std::int64_t>(hal_.time.unix_ms() - alert->time_unix_ms, 0);
        actor_.ask(Asker::level2, "level 2", age_ms, now_us_);
    }
}

void Node::read() {
    const std::int64_t interval_us = std::int64_t{config_.interval_ms} * 1000;
    next_reading_us_ += interval_us;
    if (next_reading_us_ <= now_us_) {  // late: one reading, not a burst
        const std::int64_t missed = (now_us_ - next_reading_us_) / interval_us + 1;
        readings_skipped_ += static_cast<std::uint64_t>(missed);
        next_reading_us_ += missed * interval_us;
    }
    Reading reading;
    reading.time_unix_ms = hal_.time.unix_ms();
    reading.clock_synced = hal_.time.synced();
    reading.features.fill(std::nanf(""));
    recorder_.before(now_us_);
    const bool whole = sampling_.read(reading.features, now_us_);
    vibration_ = signal::vibration_of(asset_, reading.features);
    tell_sensor_faults();
    ++readings_;
    firmware_.count_reading();
    if (engine_.model() != models_[model_].view()) {
        const int next = engine_.model().empty() ? 0 : model_ % 7 + 1;
        model_ = static_cast<std::uint8_t>(next);
        if (model_ != 0) models_[model_] = engine_.model();
    }
    reading.model = model_;
    reading.threshold = engine_.threshold();
    const bool was_alarm = alarm_;
    if (whole) judge(reading);
    outbox_.push(reading);
    announce(reading, was_alarm);
    if (alarm_ && !was_alarm) recorder_.ask(wire::WaveformCause::alarm, "", now_us_);
    recorder_.after(reading);
}

void Node::judge(Reading& reading) {
    const std::span<const float> all{reading.features};
    const auto verdict = engine_.judge(all.first(asset_.features.size()));
    if (!verdict || !verdict->ready) return;
    const bool good = std::isfinite(verdict->value);
    if (engine_.on_trial()) updater_.count_verdict(good);
    if (!good) return;
    reading.judged = true;
    reading.value = value_ = verdict->value;
    reading.alarm = alarm_ = verdict->alarm;
}

// Level 1 speaks at the raise, at most once a second while it lasts, and once at the end.
void Node::announce(const Reading& reading, bool was_alarm) {
    const auto interval_us = std::int64_t{config_.inference_ms_min} * 1000;
    Reading edge = reading;
    edge.kind = ReadingKind::alarm_edge;
    if (alarm_ && !was_alarm) {
        announced_us_ = now_us_;
        outbox_.push(edge);
    } else if (alarm_ && now_us_ - announced_us_ >= interval_us) {
        announced_us_ = now_us_;
        edge.kind = ReadingKind::alarm_repeat;
        outbox_.push(edge);
    } else if (!alarm_ && was_alarm) {
        edge.cleared = true;
        outbox_.push(edge);
        actor_.alarm_ended();
        actor_.ask_no_more(Asker::level1, now_us_);
    }
    // Every reading in alarm renews the request: a device that stops measuring lets go.
    if (reading.alarm) actor_.ask(Asker::level1, "level 1", 0, now_us_);
}

void Node::tell_sensor_faults() {
    for (std::size_t i = 0; i < asset_.channels.size(); ++i) {
        const auto news = sampling_.fault_news(i);
        if (!news) continue;
        wire::SensorEvent event;
        event.channel = asset_.channels[i].name.view();
        event.fault = *news;
        outbox_.push(event, hal_.time.unix_ms());
    }
}

Status Node::status() const {
    return {
        .active = activation_.active(),
        .connected = courier_.connected(),
        .boot = boot_,
        .seq = outbox_.seq_last(),
        .readings = readings_,
        .readings_skipped = readings_skipped_,
        .waiting = outbox_.waiting(),
        .in_flash = outbox_.in_flash(),
        .shed = outbox_.shed_count(),
        .waveforms_shed = outbox_.frames_shed_count(),
        .model = engine_.model(),
        .release = engine_.release(),
        .value = value_,
        .alarm = alarm_,
        .update = updater_.state(),
        .firmware = firmware_.state(),
        .actor = actor_.state(),
        .vibration = vibration_,
    };
}

}  // namespace stator::node
