#include "sense/node/actor.h"

#include <algorithm>

namespace stator::node {
namespace {

using interlock::Why;
using wire::ActionState;

std::int64_t ms(std::int64_t us) {
    return us / 1000;
}

}  // namespace

Actor::Actor(hal::Hal& hal, const asset::Asset& asset, const Config& config, Outbox& outbox)
    : hal_{hal},
      asset_{asset},
      config_{config},
      outbox_{outbox},
      interlock_{asset.interlock, ms(hal.time.monotonic_us())} {}

void Actor::start(std::int64_t now_us, const ActorMemory& memory) {
    moved_us_ = now_us;
    locked_out_ = memory.locked_out;
    interlock_.restore_starts(memory.starts, ms(now_us));
    hal_.actuators.set_backup_pump(false);
    hal_.actuators.set_valve_degrees(0);
}

interlock::Conditions Actor::conditions() const {
    return {
        .act = asset_.mode == asset::Mode::act,
        .locked_out = locked_out_,
        .excluded = hal_.actuators.excluded(),
    };
}

ActorMemory Actor::memory(std::int64_t now_us) const {
    return {
        .starts = static_cast<std::uint32_t>(interlock_.starts_in_the_last_hour(ms(now_us))),
        .locked_out = locked_out_,
    };
}

void Actor::say(ActionState state, std::string_view reason, std::optional<float> flow) {
    wire::ActionEvent event;
    event.command = "backup";
    event.command_id = command_id_;
    event.state = state;
    event.reason = reason;
    event.valve_degrees = target_degrees_;
    event.flow_l_per_min = flow;
    outbox_.push(event, hal_.time.unix_ms());
}

void Actor::ask(
    Asker asker, std::string_view command_id, std::int64_t age_ms, std::int64_t now_us
) {
    if (asker == Asker::person)
        suppressed_ = false;
    else if (suppressed_)
        return;
    const std::int64_t now_ms = ms(now_us);
    const Why why = interlock_.start(conditions(), now_ms - age_ms, now_ms);
    if (why != Why::allowed) {
        if (refused_ != why || asker == Asker::person) {
            if (state_ == ActorState::idle) command_id_ = command_id;
            say(ActionState::refused, interlock::name_of(why));
        }
        refused_ = why;
        return;
    }
    refused_ = Why::allowed;
    asking_[static_cast<std::size_t>(asker)] = true;
    if (state_ != ActorState::idle) return;
    command_id_ = command_id;
    engage(now_us);
}

void Actor::engage(std::int64_t now_us) {
    say(ActionState::accepted, "");
    state_ = ActorState::opening;
    target_degrees_ = config_.valve_open_degrees;
    moved_us_ = now_us;
    const auto travel_us =
        std::int64_t{target_degrees_} * std::int64_t{config_.valve_ms_per_degree} * 1000;
    deadline_us_ = now_us + travel_us + std::int64_t{asset_.effect_timeout_ms} * 1000;
    hal_.actuators.set_backup_pump(true);
    say(ActionState::sent, "");
}

void Actor::ask_no_more(Asker asker, std::int64_t now_us) {
    refused_ = Why::allowed;
    if (!asking_[static_cast<std::size_t>(asker)]) return;
    asking_[static_cast<std::size_t>(asker)] = false;
    if (std::ranges::any_of(asking_, [](bool asks) { return asks; })) return;
    if (interlock_.stop(false, ms(now_us)) == Why::allowed) release("nobody asks for it any more");
}

void Actor::stop(std::string_view reason, std::int64_t now_us) {
    suppressed_ = true;
    asking_.fill(false);
    static_cast<void>(interlock_.stop(true, ms(now_us)));
    release(reason);
}

void Actor::lock_out(bool locked, std::int64_t now_us) {
    locked_out_ = locked;
    if (locked) stop("locked out", now_us);
    if (!locked) suppressed_ = false;
}

void Actor::release(std::string_view reason) {
    if (state_ == ActorState::idle) return;
    hal_.actuators.set_backup_pump(false);
    state_ = ActorState::idle;
    target_degrees_ = 0;
    asking_.fill(false);
    say(ActionState::released, reason);
}

void Actor::step(std::int64_t now_us) {
    Why why{};
    if (interlock_.step(conditions(), ms(now_us), why))
        release(why == Why::allowed ? "nobody asks for it any more" : interlock::name_of(why));
    move_valve(now_us);
    watch_effect(now_us);
}

void Actor::move_valve(std::int64_t now_us) {
    const std::int64_t step_us = std::int64_t{config_.valve_ms_per_degree} * 1000;
    if (degrees_ == target_degrees_) {
        moved_us_ = now_us;
        return;
    }
    const std::int64_t due = (now_us - moved_us_) / step_us;
    if (due <= 0) return;
    const int distance = int{target_degrees_} - int{degrees_};
    const int way = std::clamp(
        distance,
        -static_cast<int>(std::min<std::int64_t>(due, 180)),
        static_cast<int>(std::min<std::int64_t>(due, 180))
    );
    degrees_ = static_cast<std::uint8_t>(int{degrees_} + way);
    moved_us_ += due * step_us;
    hal_.actuators.set_valve_degrees(degrees_);
    if (degrees_ == target_degrees_ && state_ == ActorState::opening) {
        state_ = ActorState::waiting;
        say(ActionState::acknowledged, "");
    }
}

void Actor::watch_effect(std::int64_t now_us) {
    if (state_ != ActorState::waiting && state_ != ActorState::no_effect) return;
    const auto flow = hal_.actuators.backup_flow_l_per_min();
    if (flow && *flow >= asset_.effect_flow_min && asset_.effect_flow_min > 0.0F) {
        state_ = ActorState::running;
        say(ActionState::effect_observed, "", *flow);
        return;
    }
    if (state_ == ActorState::no_effect || now_us < deadline_us_) return;
    state_ = ActorState::no_effect;  // a late effect is still told
    if (flow)
        say(ActionState::effect_not_observed, "the backup flow stayed too low", *flow);
    else
        say(ActionState::effect_not_observed, "the backup flow meter does not answer");
}

}  // namespace stator::node
