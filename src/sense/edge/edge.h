// The Edge is level 2 on a microcontroller: it hears what others measured, judges it, and alerts.
//
//   link -> reading of an assigned device -> judge (model, its fold) -> outbox -> link
//                       `download-model` -> updater: the class's model of level 2, checked, swapped
//
// It judges as the service on a server does, for both call shared/judge. What it does not share
// with that service: the folds lie in RAM, so that after a start each begins anew; which devices
// were in alarm is kept in flash, and their alarms go on or end. A bounded number of devices, all
// of one class, as the factory page says; readings of others are passed over. It measures nothing.
//
// step() is bounded and never waits; the watchdog is fed at its end and nowhere else. Nothing is
// allocated: hal, asset, devices and memory outlive the Edge. While its start could not be counted
// in flash it is silent.
#pragma once

#include "sense/edge/alarms.h"
#include "sense/factory/page.h"
#include "sense/hal/hal.h"
#include "sense/node/config.h"
#include "sense/node/courier.h"
#include "sense/node/engine.h"
#include "sense/node/firmware_updater.h"
#include "sense/node/outbox.h"
#include "sense/node/slots.h"
#include "sense/node/updater.h"
#include "shared/asset/asset.h"
#include "shared/judge/judge.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace stator::edge {

struct Watched {  // a device
    judge::Memory judged;
    // Of the last reading that was taken. There is no room to remember gaps, as level 2 on a server
    // does (stream::Numbers): what comes out of order counts as taken.
    std::uint32_t boot = 0;
    std::uint64_t seq = 0;
};

struct Memory {
    std::span<Watched> watched;  // one for each device
    std::span<node::WaitingReading> alerts;
    std::span<node::WaitingDeviceEvent> events;
    node::Engine::Arenas arenas;
    std::span<char> envelope;  // the largest manifest
};

struct Status {  // for a port's own display and for tests
    bool connected = false;
    std::uint32_t boot = 0;
    std::uint64_t judged = 0;
    std::uint64_t known = 0;       // came again or out of order, and were passed over
    std::uint64_t incomplete = 0;  // lacked a feature
    std::uint64_t unjudged = 0;    // no model ran
    std::uint64_t strange = 0;     // of devices that are not assigned, or unreadable
    std::uint64_t alerts = 0;
    std::uint64_t shed = 0;
    std::size_t waiting = 0;    // for the site to store it
    std::uint32_t alarmed = 0;  // a bit for each device in alarm
    std::string_view model;
    std::uint32_t release = 0;
    node::UpdateState update = node::UpdateState::idle;
    node::FirmwareUpdate firmware = node::FirmwareUpdate::idle;
};

// What level 2 chooses otherwise than a node: its models are of level 2 and have no trial by
// readings, for no device may send any; a registry that is away is waited for.
[[nodiscard]] node::Config level2_config();

class Edge final : private node::Encoder {
  public:
    // `asset`: what every device is; its `device` is this board's own id. hal.backlog, where there
    // is one, keeps which devices are in alarm.
    Edge(
        hal::Hal hal,
        const asset::Asset& asset,
        std::span<const factory::Assigned> devices,
        const node::Config& config,
        Memory memory
    );

    // True when it did something: the port may sleep a little otherwise.
    bool step();

    [[nodiscard]] Status status() const;

  private:
    void start();
    void alarms_go_on();
    bool poll_link();
    void hear_message(std::string_view topic, std::string_view payload);
    void hear_command(std::string_view payload, bool own);
    void hear_reading(std::string_view payload);
    void follow_model();
    void alert(
        std::size_t device,
        const detect::Verdict& verdict,
        node::ReadingKind kind,
        std::int64_t time_unix_ms,
        suspect::Suspicion suspicion = suspect::Suspicion::none
    );
    void keep_alarms();
    [[nodiscard]] wire::Json encode(const node::Outbox::Item& item, std::string_view& topic)
        override;

    hal::Hal hal_;
    const asset::Asset& asset_;
    std::span<const factory::Assigned> devices_;
    node::Config config_;
    wire::Topic event_topic_;
    wire::Topic command_topic_;
    wire::Topic stored_topic_;
    std::span<Watched> watched_;
    node::Slots slots_;
    node::Outbox outbox_;
    node::Courier courier_;
    node::Engine engine_;
    node::Updater updater_;
    node::FirmwareUpdater firmware_;
    std::optional<Alarms> alarms_;

    std::int64_t now_us_ = 0;
    Status counts_;
    std::uint32_t kept_alarmed_ = 0;
    std::uint32_t kept_release_ = 0;
    base::FixedVector<wire::FileName, 4> wishes_;  // models that were announced
    std::array<wire::FileName, 8> models_;         // that alerts waiting may name; [0] is none
    std::uint8_t model_ = 0;                       // that judges
    float threshold_ = 0.5F;                       // its
    std::array<char, wire::message_bytes_max> buffer_{};
};

}  // namespace stator::edge
