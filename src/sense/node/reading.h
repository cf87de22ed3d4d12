// A Reading is what one turn of the loop has measured; a WaitingEvent, what the device has to say.
//
// An alert of level 2 waits as a Reading, too: its features are then the contributions to a value
// about another device (sense/edge).
#pragma once

#include "shared/asset/asset.h"
#include "shared/suspect/suspect.h"
#include "shared/wire/messages.h"

#include <array>
#include <cstdint>
#include <span>

namespace stator::node {

enum class ReadingKind : std::uint8_t { telemetry, alarm_repeat, alarm_edge };

struct Reading {
    std::int64_t time_unix_ms = 0;
    std::array<float, asset::features_max> features{};  // NaN: missing
    float value = 0.0F;
    float threshold = 0.5F;
    ReadingKind kind = ReadingKind::telemetry;
    bool judged = false;  // a model gave `value`
    bool alarm = false;
    bool cleared = false;
    bool clock_synced = false;
    std::uint8_t model = 0;  // index into the names of the models that ran
    std::uint8_t about = 0;  // of an alert: which of the devices
    suspect::Suspicion suspicion = suspect::Suspicion::none;  // of an alert
};

// Samples of one channel as the converter gave them, in the memory of whoever recorded them.
struct Frame {
    std::int64_t time_unix_ms = 0;
    std::span<const std::uint16_t> counts;
    wire::WaveformCause cause = wire::WaveformCause::interval;
    std::uint8_t channel = 0;
    bool clock_synced = false;
};

using EventBody = decltype(wire::DeviceEvent::what);

struct WaitingEvent {
    std::int64_t time_unix_ms = 0;
    EventBody body;
};

}  // namespace stator::node
