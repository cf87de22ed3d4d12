// The Node is the device: one super-loop, turned by step(), over whatever machine the Hal is.
//
//   link -> activation -> sampling -> features -> model and fold -> outbox -> act -> update -> link
//
// Each step() is bounded: at most one reading, one fetch, one flash sector, a few publishes; it
// never waits. The watchdog is fed at the end of a whole step and nowhere else. Nothing is
// allocated: the caller gives Memory, and hal, asset and memory outlive the Node. Until the
// registry has said TRUE nothing is measured and nothing published. The boot is counted in flash
// before anything is published; when that fails the node stays silent and says so.
#pragma once

#include "sense/hal/hal.h"
#include "sense/node/activation.h"
#include "sense/node/actor.h"
#include "sense/node/config.h"
#include "sense/node/courier.h"
#include "sense/node/engine.h"
#include "sense/node/firmware_updater.h"
#include "sense/node/outbox.h"
#include "sense/node/recorder.h"
#include "sense/node/sampling.h"
#include "sense/node/slots.h"
#include "sense/node/updater.h"
#include "shared/asset/asset.h"
#include "shared/signal/zone.h"
#include "shared/wire/messages.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace stator::node {

struct Memory {
    std::span<WaitingReading> readings;
    std::span<WaitingDeviceEvent> events;
    Engine::Arenas arenas;
    std::span<char> envelope;                // the largest manifest
    std::span<std::uint16_t> counts;         // the longest frame: signal::waveform_samples
    signal::Extractor* extractor = nullptr;  // of a port that can do more than extract()
    // As large as counts, for raw frames that are sent as they are; empty: none are.
    std::span<std::uint16_t> frame{};
};

struct Status {  // for a port's own display and for tests
    bool active = false;
    bool connected = false;
    std::uint32_t boot = 0;
    std::uint64_t seq = 0;
    std::uint64_t readings = 0;
    std::uint64_t readings_skipped = 0;  // a reading was due while the last one was not done
    std::size_t waiting = 0;             // for the site to store it
    std::size_t in_flash = 0;            // of those
    std::uint64_t shed = 0;
    std::uint64_t waveforms_shed = 0;  // of those
    std::string_view model;
    std::uint32_t release = 0;
    float value = 0.0F;
    bool alarm = false;
    UpdateState update = UpdateState::idle;
    FirmwareUpdate firmware = FirmwareUpdate::idle;
    ActorState actor = ActorState::idle;
    signal::Vibration vibration;  // of the last reading
};

class Node final : private Encoder {
  public:
    Node(hal::Hal hal, const asset::Asset& asset, const Config& config, Memory memory);

    // True when it did something: the port may sleep a little otherwise.
    bool step();

    [[nodiscard]] Status status() const;

    // Measures no more, and keeps in flash what waits in RAM: true when all of it is there, or
    // there is no flash for it. For an orderly end.
    [[nodiscard]] bool leave();

    // When the next reading is due, hal::Time::monotonic_us.
    [[nodiscard]] std::int64_t next_reading_us() const { return next_reading_us_; }

  private:
    void start();
    void use_flash();
    bool poll_link();
    void hear(const hal::LinkEvent& event);
    void hear_message(std::string_view topic, std::string_view payload);
    void hear_command(std::string_view payload, bool own);
    void hear_alert(std::string_view payload);
    void activate();
    bool keep_actor_memory();
    [[nodiscard]] bool about_to_leave() const;
    void read();
    void judge(Reading& reading);
    void announce(const Reading& reading, bool alarm);
    void tell_sensor_faults();
    [[nodiscard]] wire::Json encode(const Outbox::Item& item, std::string_view& topic) override;

    hal::Hal hal_;
    const asset::Asset& asset_;
    Config config_;
    wire::Topic event_topic_;
    wire::Topic command_topic_;
    wire::Topic stored_topic_;
    wire::Topic waveform_topic_;
    Slots slots_;
    Outbox outbox_;
    BacklogFacts facts_;
    std::optional<Backlog> backlog_;
    Courier courier_;
    Engine engine_;
    Activation activation_;
    Sampling sampling_;
    Recorder recorder_;
    Actor actor_;
    ActorMemory kept_;
    Updater updater_;
    FirmwareUpdater firmware_;

    std::uint32_t boot_ = 0;  // 0: could not be counted
    bool leaving_ = false;
    bool started_told_ = false;
    std::int64_t now_us_ = 0;
    std::int64_t next_reading_us_ = 0;
    std::uint64_t readings_ = 0;
    std::uint64_t readings_skipped_ = 0;
    bool alarm_ = false;
    float value_ = 0.0F;
    signal::Vibration vibration_;
    std::int64_t announced_us_ = 0;
    std::array<wire::FileName, 8> models_;  // that readings waiting may name; [0] is none
    std::uint8_t model_ = 0;
    std::array<char, wire::message_bytes_max> buffer_{};
};

}  // namespace stator::node
