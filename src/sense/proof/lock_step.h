// The LockStep is the device in lock-step with its machine: it stands still until it has the next
// frame of every channel, and the machine stands still until it is asked for one.
//
// Time is the number of samples taken, over 13,095 Hz, and nothing else: whatever the processor,
// and however busy it is, a run of the same order against the same machine has the same trace
// (Told). The node fetches its model from the order, signed as a test signs (Verifier), tries it,
// confirms it, and acts on it. The caller owns the LockStep (about 100 KB) and the flash.
#pragma once

#include "sense/node/node.h"
#include "sense/proof/converters.h"
#include "sense/proof/machine.h"
#include "sense/proof/told.h"
#include "shared/asset/asset.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace stator::proof {

inline constexpr std::string_view lock_step_model = "2026-11-28-00:00:00-model.tflite";

// What a run is. As bytes: interval_ms, frames, envelope's size, model's size, each a little-endian
// u32, then the envelope and the model.
struct Order {
    static constexpr std::size_t head_bytes = 16;
    static constexpr std::size_t bytes_max = 64U << 10U;

    std::uint32_t interval_ms = 100;  // between readings
    std::uint32_t frames = 0;
    std::span<const std::byte> envelope;  // the model's manifest, signed
    std::span<const std::byte> tflite;

    [[nodiscard]] static base::Result<Order> read(std::span<const std::byte> bytes);
};

// The simulated motor's asset, allowed to act.
[[nodiscard]] asset::Asset lock_step_asset();

// A link that tells what the device says of itself; messages about the machine go into the chain.
class Post final : public hal::Link {
  public:
    Post(Told& told, std::string_view event_topic)
        : told_{told}, event_topic_{event_topic}, link_{told.chain()} {}

    [[nodiscard]] base::Result<void> subscribe(std::string_view topic) override {
        return link_.subscribe(topic);
    }

    [[nodiscard]] base::Result<std::uint32_t> publish(
        std::string_view topic, std::string_view payload
    ) override {
        if (topic == event_topic_) told_.text("says", payload);
        return link_.publish(topic, payload);
    }

    [[nodiscard]] bool poll(hal::LinkEvent& event) override { return link_.poll(event); }

    void say(std::string_view topic, std::string_view payload) { link_.say(topic, payload); }

  private:
    Told& told_;
    std::string_view event_topic_;
    proof::Link link_;
};

class LockStep {
  public:
    // `flash`: blank.
    LockStep(
        hal::Flash& flash,
        Frames& frames,
        hal::Actuators& actuators,
        const Order& order,
        Record& record
    );

    // Fault::io: the machine was gone before the last frame.
    [[nodiscard]] base::Result<void> run();

  private:
    static constexpr std::size_t readings_max = 96;
    static constexpr std::size_t events_max = 16;
    static constexpr std::size_t arena_bytes = 4096;

    void start_node();
    void step();

    hal::Flash& flash_;
    const Order order_;
    asset::Asset asset_;
    node::Config config_;
    wire::Topic event_topic_;
    wire::Topic command_topic_;
    Told told_;
    Converters converters_;
    Time time_;
    Entropy entropy_;
    hal::CountingWatchdog watchdog_;
    Log log_{told_.chain()};
    Post post_;
    Fetch fetch_;
    Verifier verifier_;
    bool commanded_ = false;
    std::array<node::WaitingReading, readings_max> readings_{};
    std::array<node::WaitingDeviceEvent, events_max> events_{};
    std::array<std::array<std::byte, arena_bytes>, 2> arenas_{};
    std::array<char, bundle::envelope_bytes_max> envelope_{};
    std::array<std::uint16_t, signal::waveform_samples> counts_{};
    std::optional<node::Node> node_;
};

}  // namespace stator::proof
