// An Asset is the machine that is watched: its channels, the features made of them, its actuators.
//
// A feature's name is the channel's for its primary statistic ("vibration"), and
// "<channel>_<statistic>" for the others ("vibration_crest"). The order of `features` is the order
// of every feature vector, CSV column and model input; its hash says whether a model fits a device.
#pragma once

#include "shared/base/fixed.h"
#include "shared/base/result.h"
#include "shared/interlock/interlock.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace stator::asset {

inline constexpr std::size_t channels_max = 8;
inline constexpr std::size_t features_max = 24;
inline constexpr std::size_t name_bytes_max = 32;

using Name = base::FixedString<name_bytes_max>;

enum class Sampling : std::uint8_t {
    slow,      // a mean of a frame: temperature, pressure, flow
    waveform,  // a window at the sampling rate: current, vibration, sound
};

enum class Statistic : std::uint8_t {
    mean,          // primary of slow channels
    rms,           // primary of waveform channels, mean removed
    peak,          // largest |x|, mean removed
    crest,         // peak / rms
    kurtosis,      // fourth standardised moment; 3 for Gaussian noise
    peak_hz,       // frequency of the largest spectral line, parabolic interpolation
    band_low,      // rms of the band, physical unit: 10 Hz .. 500 Hz
    band_mid,      // 500 Hz .. 2 kHz
    band_high,     // 2 kHz .. Nyquist
    velocity_rms,  // mm/s, 10 Hz .. 1 kHz, of an acceleration in g (ISO 20816)
};

[[nodiscard]] std::string_view name_of(Statistic statistic);

// physical = (counts - zero_counts) * unit_per_count + offset
struct Calibration {
    float zero_counts = 0.0F;
    float unit_per_count = 1.0F;
    float offset = 0.0F;
};

struct Channel {
    Name name;
    Name unit;
    Sampling sampling = Sampling::slow;
    Calibration calibration;
    float plausible_min = -1e9F;  // outside: a sensor fault, not a machine fault
    float plausible_max = 1e9F;
    std::uint16_t counts_max = 4095;  // of its converter: 12 bit
    // A slow channel whose every sample has been one count for so long is stuck; 0: never.
    std::uint32_t stuck_after_s = 21'600;
};

struct Feature {
    std::uint8_t channel = 0;  // index into Asset::channels
    Statistic statistic = Statistic::mean;
};

enum class Mode : std::uint8_t { observe, act };  // observe: no actuation

struct Asset {
    Name id;
    Name title;         // for people: "Pump 1"
    Name device;        // deviceID
    Name device_class;  // models are made for a class
    Mode mode = Mode::observe;
    base::FixedVector<Channel, channels_max> channels;
    base::FixedVector<Feature, features_max> features;
    float severity_potential = 0.5F;
    float severity_imminent = 0.8F;
    float effect_flow_min = 0.0F;  // the backup pump works when its flow reaches this, l/min
    std::uint32_t effect_timeout_ms = 5000;
    interlock::Rules interlock;  // of the backup line
};

[[nodiscard]] base::FixedString<2 * name_bytes_max> feature_name(
    const Asset& asset, std::size_t feature
);

// CRC-32C over the feature names, each followed by '\n'; written as 8 lower-case hex digits.
[[nodiscard]] std::uint32_t feature_set_hash(const Asset& asset);

// The motor of the reference bill of materials: current (A), temperature (degC), vibration (g) and
// sound (Pa) in the contract's order, and the condition-monitoring features made of them.
[[nodiscard]] Asset shaded_pole_motor();

}  // namespace stator::asset
