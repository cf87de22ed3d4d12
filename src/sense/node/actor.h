// The Actor brings the backup line in and sees whether it helped; it works without a network.
//
//   idle --start, interlock allows--> opening --valve open--> waiting --flow--> running
//    ^        "accepted","sent"          "acknowledged"          | "effect-observed"
//    '---- release: pump off, valve shut, "released" <-----------+--time-out: "effect-not-observed"
//
// Who asked is remembered: the level-1 alarm, the level-2 alert, or a person. It is released when
// nobody asks any more, when a person says so, or when the interlock does (dead man). A request
// that the interlock refuses is said once and tried again while it lasts. Nothing but the flow that
// was measured closes an action. A lock-out and the starts of the last hour outlive a restart: who
// owns the Actor keeps its memory() in flash.
#pragma once

#include "sense/hal/hal.h"
#include "sense/node/config.h"
#include "sense/node/outbox.h"
#include "sense/node/slots.h"
#include "shared/asset/asset.h"
#include "shared/interlock/interlock.h"

#include <array>
#include <cstdint>
#include <string_view>

namespace stator::node {

enum class Asker : std::uint8_t { level1, level2, person };

enum class ActorState : std::uint8_t { idle, opening, waiting, running, no_effect };

class Actor {
  public:
    Actor(hal::Hal& hal, const asset::Asset& asset, const Config& config, Outbox& outbox);

    // The valve is shut and the pump off from the first moment on.
    void start(std::int64_t now_us, const ActorMemory& memory = {});

    void ask(Asker asker, std::string_view command_id, std::int64_t age_ms, std::int64_t now_us);
    void ask_no_more(Asker asker, std::int64_t now_us);
    // A person's stop: now, and not again before the alarm that goes on has ended.
    void stop(std::string_view reason, std::int64_t now_us);
    // Stays a function of its own in the image: there the watchdog's test lets a step hang.
    [[gnu::noinline]] void lock_out(bool locked, std::int64_t now_us);

    void alarm_ended() { suppressed_ = false; }

    void step(std::int64_t now_us);

    [[nodiscard]] ActorMemory memory(std::int64_t now_us) const;

    [[nodiscard]] ActorState state() const { return state_; }

    [[nodiscard]] std::uint32_t valve_degrees() const { return degrees_; }

  private:
    [[nodiscard]] interlock::Conditions conditions() const;
    void say(wire::ActionState state, std::string_view reason, std::optional<float> flow = {});
    void engage(std::int64_t now_us);
    void release(std::string_view reason);
    void move_valve(std::int64_t now_us);
    void watch_effect(std::int64_t now_us);

    hal::Hal& hal_;
    const asset::Asset& asset_;
    const Config& config_;
    Outbox& outbox_;
    interlock::Interlock interlock_;
    ActorState state_ = ActorState::idle;
    wire::FileName command_id_;
    std::array<bool, 3> asking_{};
    bool locked_out_ = false;
    bool suppressed_ = false;
    interlock::Why refused_ = interlock::Why::allowed;  // the last that was said
    std::uint8_t degrees_ = 0;
    std::uint8_t target_degrees_ = 0;
    std::int64_t moved_us_ = 0;
    std::int64_t deadline_us_ = 0;
};

}  // namespace stator::node
