#include "sense/port/esp32/conformance.h"

#include "sense/hal/conformance.h"
#include "sense/port/esp32/chip.h"
#include "sense/port/esp32/converters.h"
#include "sense/port/esp32/outputs.h"
#include "sense/port/esp32/partition_flash.h"
#include "shared/asset/asset.h"
#include "shared/signal/extract.h"

namespace stator::esp32 {
namespace {

struct Parts {
    PartitionFlash flash;
    Clock clock{0};
    Entropy entropy;
    Outputs outputs;
    Converters converters;
    std::array<std::uint16_t, signal::waveform_samples> frame{};
};

Parts parts;  // static: larger than a task's stack

}  // namespace

std::string_view check_chip() {
    if (!parts.flash.open_data("node")) return "flash: no partition of that name";
    const auto open = [&]() -> hal::Flash& { return parts.flash; };
    if (const auto why = hal::check_flash(open); !why.empty()) return why;
    if (const auto why = hal::check_time(parts.clock); !why.empty()) return why;
    if (const auto why = hal::check_entropy(parts.entropy); !why.empty()) return why;
    if (const auto why = parts.outputs.start(); !why.empty()) return why;
    if (const auto why = hal::check_actuators(parts.outputs); !why.empty()) return why;
    const asset::Asset asset = asset::shaded_pole_motor();
    if (const auto why = parts.converters.start(asset); !why.empty()) return why;
    constexpr std::uint16_t counts_max = 4095;
    return hal::check_adc(parts.converters, asset.channels.size(), counts_max, parts.frame);
}

}  // namespace stator::esp32
