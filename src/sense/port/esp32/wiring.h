// wiring.h is what is soldered to which pin: another board changes this file alone.
//
// A channel of the asset is looked up by its name. Pins 34 to 39 are inputs only, and ADC 2 belongs
// to the radio, so the analogue sensors share ADC 1.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace stator::esp32 {

struct Source {
    enum class Kind : std::uint8_t {
        analogue,  // `place`: channel of ADC 1
        tmp102,    // `place`: I2C address; 1/16 K a count, 2048 at 0 degC
    };

    std::string_view channel;
    Kind kind = Kind::analogue;
    std::uint8_t place = 0;
};

inline constexpr std::array<Source, 5> sources{{
    {"current", Source::Kind::analogue, 6},      // GPIO 34: SCT-013, its burden at mid-rail
    {"temperature", Source::Kind::analogue, 7},  // GPIO 35: TMP36
    {"vibration", Source::Kind::analogue, 4},    // GPIO 32: piezo behind a charge amplifier
    {"sound", Source::Kind::analogue, 5},        // GPIO 33: MAX4465
    {"ambient", Source::Kind::tmp102, 0x48},
}};

inline constexpr int i2c_data_pin = 21;
inline constexpr int i2c_clock_pin = 22;
inline constexpr int servo_pin = 18;
inline constexpr int pump_pin = 19;  // a relay's or a transistor's; high: on
inline constexpr int flow_pin = 27;  // open collector, pulled up outside
// The contact of whatever must not run at the same time, to ground: closed while that rests, so
// that a broken wire excludes. -1: there is none.
inline constexpr int exclusion_pin = -1;

// The servo's pulse at 0 and at 180 degrees, and the meter's pulses a litre.
inline constexpr std::uint32_t servo_us_min = 500;
inline constexpr std::uint32_t servo_us_max = 2'500;
inline constexpr float flow_pulses_per_l = 450.0F;

}  // namespace stator::esp32
