// The words that stand for enumerators on the wire, in the order of the enumerators.
#pragma once

#include "shared/wire/messages.h"

#include <array>
#include <cstddef>
#include <string_view>

namespace stator::wire {

template <typename Enum, std::size_t count>
struct Names {
    std::array<std::string_view, count> names;

    [[nodiscard]] constexpr std::string_view name(Enum value) const {
        return names[static_cast<std::size_t>(value)];
    }

    [[nodiscard]] constexpr std::optional<Enum> value(std::string_view name) const {
        for (std::size_t i = 0; i < count; ++i)
            if (names[i] == name) return static_cast<Enum>(i);
        return std::nullopt;
    }
};

inline constexpr Names<Severity, 3> severity_names{{"none", "potential", "imminent"}};
inline constexpr Names<ModelState, 7> model_state_names{
    {"downloading", "downloaded", "updating", "trial", "confirmed", "refused", "factory"}
};
inline constexpr Names<ActionState, 7> action_state_names{
    {"accepted",
     "refused",
     "sent",
     "acknowledged",
     "effect-observed",
     "effect-not-observed",
     "released"}
};
inline constexpr Names<SensorFault, 6> sensor_fault_names{
    {"none", "stuck", "saturated", "disconnected", "noisy", "implausible"}
};
inline constexpr Names<Order, 11> order_names{
    {"extract-data",
     "train-model",
     "download-model",
     "backup-on",
     "backup-off",
     "reset",
     "lock-out",
     "unlock",
     "update-firmware",
     "record-waveform",
     "unknown"}
};
inline constexpr Names<WaveformCause, 3> waveform_cause_names{{"interval", "order", "alarm"}};
// In the order of DeviceEvent::what.
inline constexpr std::array<std::string_view, 6> event_kinds = {
    "started", "model", "action", "gap", "sensor-fault", "firmware"
};

}  // namespace stator::wire
