#include "sense/edge/edge.h"

#include <algorithm>
#include <cassert>
#include <limits>

namespace stator::edge {

using node::ReadingKind;
using wire::Order;

namespace {

// False: it is at or before the last. What carries no number is always new.
bool take_number(Watched& watched, const wire::Telemetry& telemetry) {
    const std::uint32_t boot = telemetry.boot.value_or(0);
    const std::uint64_t seq = telemetry.seq.value_or(0);
    if (seq != 0 && (boot < watched.boot || (boot == watched.boot && seq <= watched.seq)))
        return false;
    watched.boot = boot;
    watched.seq = seq;
    return true;
}

}  // namespace

node::Config level2_config() {
    node::Config config;
    config.level = 2;
    config.listens_to_alerts = false;
    config.trial_readings = 0;  // the site's answer is its trial
    config.fetch_tries = std::numeric_limits<std::uint32_t>::max();
    return config;
}

Edge::Edge(
    hal::Hal hal,
    const asset::Asset& asset,
    std::span<const factory::Assigned> devices,
    const node::Config& config,
    Memory memory
)
    : hal_{hal},
      asset_{asset},
      devices_{devices},
      config_{config},
      event_topic_{config.topics.event_of(asset.device.view())},
      command_topic_{config.topics.command_of(asset.device.view())},
      stored_topic_{config.topics.stored_of(asset.device.view())},
      watched_{memory.watched},
      slots_{hal_.flash},
      outbox_{memory.alerts, memory.events},
      courier_{hal_, config_, outbox_},
      engine_{asset_, hal_.verifier, memory.arenas, config_.level},
      updater_{hal_, asset_, config_, slots_, engine_, outbox_, memory.envelope},
      firmware_{hal_, config_, outbox_} {
    assert(!devices_.empty() && watched_.size() >= devices_.size());
    start();
}

void Edge::start() {
    now_us_ = hal_.time.monotonic_us();
    const auto boot = slots_.count_boot();
    if (boot)
        counts_.boot = *boot;
    else
        hal_.log.warn("flash: this start could not be counted, so nothing will be published");
    outbox_.start(counts_.boot);
    updater_.load();
    firmware_.start(now_us_);
    wire::StartedEvent started;
    started.firmware = config_.firmware.view();
    started.model = engine_.model();
    started.cause = config_.started_by;
    outbox_.push(started, hal_.time.unix_ms());
    alarms_go_on();
    const bool subscribed = hal_.link.subscribe(config_.topics.data.view()) &&
                            hal_.link.subscribe(config_.topics.control.view()) &&
                            hal_.link.subscribe(command_topic_.view()) &&
                            hal_.link.subscribe(stored_topic_.view());
    if (!subscribed) hal_.log.warn("link: a subscription was not taken");
}

// An alarm of the start before is the present one's to end: by its readings, or, where another
// model runs now, at once.
void Edge::alarms_go_on() {
    if (hal_.backlog != nullptr) {
        alarms_.emplace(*hal_.backlog, devices_);
        const Alarms::Kept kept = alarms_->kept();
        kept_alarmed_ = kept.devices;
        kept_release_ = kept.release;
    }
    const bool same = engine_.release() != 0 && engine_.release() == kept_release_;
    for (std::size_t i = 0; i < devices_.size(); ++i) {
        watched_[i] = {};
        if ((kept_alarmed_ >> i & 1U) == 0) continue;
        watched_[i].judged.fold.alarm = true;
        if (same) watched_[i].judged.model = engine_.model();
        counts_.alarmed |= 1U << i;
    }
    follow_model();
}

bool Edge::step() {
    now_us_ = hal_.time.monotonic_us();
    bool busy = poll_link();
    if (counts_.boot != 0) {
        if (updater_.state() == node::UpdateState::idle && !wishes_.empty()) {
            updater_.request(wishes_[0].view());
            std::copy(wishes_.begin() + 1, wishes_.end(), wishes_.begin());
            static_cast<void>(wishes_.resize(wishes_.size() - 1));
        }
        updater_.step(now_us_, !firmware_.busy());
        follow_model();
        keep_alarms();
        busy = courier_.publish(now_us_, *this) || busy;
    }
    const bool its_turn = firmware_.busy() || updater_.state() == node::UpdateState::idle;
    firmware_.step(now_us_, its_turn, true);
    hal_.watchdog.feed();
    return busy || updater_.state() == node::UpdateState::erasing ||
           firmware_.state() == node::FirmwareUpdate::erasing;
}

bool Edge::poll_link() {
    hal::LinkEvent event;
    constexpr int events_max = 8;  // a step is bounded
    int count = 0;
    for (; count < events_max && hal_.link.poll(event); ++count) {
        if (event.kind == hal::LinkEvent::Kind::message) {
            hear_message(event.topic, event.payload);
        } else if (courier_.hear(event, now_us_)) {
            updater_.count_acknowledgement();
            firmware_.count_acknowledgement();
        }
    }
    return count > 0;
}

void Edge::hear_message(std::string_view topic, std::string_view payload) {
    if (topic == config_.topics.data.view()) {
        hear_reading(payload);
    } else if (topic == stored_topic_.view()) {
        courier_.hear_mark(payload);
    } else if (topic == command_topic_.view()) {
        hear_command(payload, true);
    } else if (topic == config_.topics.control.view()) {
        hear_command(payload, false);
    }
}

void Edge::hear_command(std::string_view payload, bool own) {
    const auto command = wire::decode_command(payload);
    if (!command) return;
    // A broadcast restarts nothing.
    if (own && command->order == Order::update_firmware) firmware_.request(command->payload.view());
    if (command->order != Order::download_model) return;
    // Levels and classes have their own: which is ours its manifest says. Of too many the oldest
    // goes; what is still wanted is said again.
    if (wishes_.size() == wishes_.capacity()) {
        std::copy(wishes_.begin() + 1, wishes_.end(), wishes_.begin());
        static_cast<void>(wishes_.resize(wishes_.size() - 1));
    }
    static_cast<void>(wishes_.push_back(command->payload));
}

void Edge::hear_reading(std::string_view payload) {
    const auto whose = wire::decode_device(payload);
    const auto found = std::ranges::find_if(devices_, [&](const factory::Assigned& one) {
        return whose && one.device == *whose;
    });
    if (found == devices_.end()) {
        ++counts_.strange;
        return;
    }
    const auto model = engine_.judging();
    if (!model || counts_.boot == 0) {
        ++counts_.unjudged;
        return;
    }
    const auto telemetry = wire::decode_telemetry(payload);
    if (!telemetry) {
        ++counts_.strange;
        return;
    }
    const auto device = static_cast<std::size_t>(found - devices_.begin());
    Watched& watched = watched_[device];
    if (!take_number(watched, *telemetry)) {
        ++counts_.known;
        return;
    }
    const auto reading = judge::reading_of(*telemetry, asset_, hal_.time.unix_ms());
    if (!reading) {
        ++counts_.incomplete;
        return;
    }
    const judge::Judgement made = judge::judge(watched.judged, *reading, asset_, *model);
    ++counts_.judged;
    firmware_.count_reading();
    if (!made.alert_due) return;
    const bool edge = made.verdict.raised || made.verdict.cleared;
    alert(
        device,
        made.verdict,
        edge ? ReadingKind::alarm_edge : ReadingKind::alarm_repeat,
        reading->time_unix_ms,
        made.suspicion
    );
}

// After a swap, and after the way back: whoever acts on the old model's alarm must hear that nobody
// raises it any more.
void Edge::follow_model() {
    const auto model = engine_.judging();
    if (engine_.model() == models_[model_].view()) return;
    for (std::size_t i = 0; i < devices_.size(); ++i) {
        judge::Memory& memory = watched_[i].judged;
        if (!model || judge::must_withdraw(memory, *model)) {
            if (memory.fold.alarm) alert(i, {}, ReadingKind::alarm_edge, hal_.time.unix_ms());
            memory.fold.alarm = false;
        }
        if (model) judge::take_model(memory, *model);
    }
    model_ = static_cast<std::uint8_t>(engine_.model().empty() ? 0 : model_ % 7 + 1);
    models_[model_] = engine_.model();
    threshold_ = engine_.threshold();
}

void Edge::alert(
    std::size_t device,
    const detect::Verdict& verdict,
    ReadingKind kind,
    std::int64_t time_unix_ms,
    suspect::Suspicion suspicion
) {
    node::Reading waiting;
    waiting.time_unix_ms = time_unix_ms;
    waiting.features = verdict.contribution;
    waiting.value = verdict.value;
    waiting.threshold = threshold_;
    waiting.kind = kind;
    waiting.alarm = verdict.alarm;
    waiting.model = model_;
    waiting.about = static_cast<std::uint8_t>(device);
    waiting.suspicion = suspicion;
    outbox_.push(waiting);
    ++counts_.alerts;
    if (verdict.alarm)
        counts_.alarmed |= 1U << device;
    else
        counts_.alarmed &= ~(1U << device);
}

// In flash before it goes out: what somebody was told of is not forgotten.
void Edge::keep_alarms() {
    if (!alarms_) return;
    const std::uint32_t release = counts_.alarmed == 0 ? kept_release_ : engine_.release();
    if (counts_.alarmed == kept_alarmed_ && release == kept_release_) return;
    kept_alarmed_ = counts_.alarmed;
    kept_release_ = release;
    if (!alarms_->keep({.devices = kept_alarmed_, .release = kept_release_}))
        hal_.log.warn("flash: the alarms could not be kept");
}

wire::Json Edge::encode(const node::Outbox::Item& item, std::string_view& topic) {
    if (item.event != nullptr) {
        topic = event_topic_.view();
        return wire::encode(node::message_of(asset_.device.view(), item), buffer_);
    }
    topic = config_.topics.alert.view();
    const node::Reading& waiting = *item.reading;
    const factory::Assigned& about = devices_[waiting.about];
    detect::Verdict verdict;
    verdict.value = waiting.value;
    verdict.alarm = waiting.alarm;
    verdict.contribution = waiting.features;
    wire::Alert alert = judge::alert_of(
        verdict,
        asset_,
        {.potential = about.severity_potential, .imminent = about.severity_imminent},
        models_[waiting.model].view(),
        waiting.threshold,
        waiting.suspicion
    );
    alert.device = about.device;
    alert.time_unix_ms = waiting.time_unix_ms;
    alert.source = asset_.device.view();
    alert.boot = item.key.boot;
    alert.seq = item.key.seq;
    return wire::encode(alert, buffer_);
}

Status Edge::status() const {
    Status now = counts_;
    now.connected = courier_.connected();
    now.shed = outbox_.shed_count();
    now.waiting = outbox_.waiting();
    now.model = engine_.model();
    now.release = engine_.release();
    now.update = updater_.state();
    now.firmware = firmware_.state();
    return now;
}

}  // namespace stator::edge
