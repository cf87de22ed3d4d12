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
    slow,       // a mean of a frame: temperature, pressure, flow
    waveform,   // a window at the sampling rate: current, vibration, sound
    reference,  // a waveform as the reference design takes it: 64 samples, 4.9 ms
};

[[nodiscard]] std::string_view name_of(Sampling sampling);

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
    // The rest are a motor's current seen over 3.5 s without a hole (shared/signal/signature.h).
    line_hz,               // of the mains
    line_rms,              // of the current at that frequency alone
    rotation_sideband_db,  // at line +- rotation, over the line: eccentricity, imbalance
    slip_sideband_db,      // at line (1 +- 2 slip), over the line: broken bars
};

[[nodiscard]] std::string_view name_of(Statistic statistic);

[[nodiscard]] constexpr bool needs_long_window(Statistic statistic) {
    return statistic >= Statistic::line_hz;
}

// Whether a channel of that sampling can have it.
[[nodiscard]] constexpr bool offers(Sampling sampling, Statistic statistic) {
    if (statistic < Statistic::peak_hz || sampling == Sampling::waveform) return true;
    return sampling == Sampling::reference && statistic == Statistic::peak_hz;
}

// Without more words: what a channel's own name stands for.
[[nodiscard]] constexpr Statistic primary_of(Sampling sampling) {
    return sampling == Sampling::slow ? Statistic::mean : Statistic::rms;
}

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

// In what frames are reckoned; q15: 16-bit integers, for a chip without an FPU.
enum class Arithmetic : std::uint8_t { floating, q15 };

// Of the motor whose current is watched: where the sidebands of its rotor are looked for.
struct Rotor {
    std::uint8_t pole_pairs = 1;
    float slip_max = 0.15F;  // of the synchronous speed, under full load and more
};

// From where on a velocity RMS is in zone B, C, D; below the first it is in A. What the zones mean
// stands in shared/signal/zone.h. Default: ISO 10816-1:1995, table B.1 (kept as guidance by ISO
// 20816-1:2016), class I: electric motors up to 15 kW.
struct ZoneLimits {
    float b_mm_per_s = 0.71F;
    float c_mm_per_s = 1.8F;
    float d_mm_per_s = 4.5F;

    bool operator==(const ZoneLimits&) const = default;
};

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
    ZoneLimits zones;            // of every channel with a velocity_rms
    Rotor rotor;
    Arithmetic arithmetic = Arithmetic::floating;
};

[[nodiscard]] bool needs_long_window(const Asset& asset, std::size_t channel);

[[nodiscard]] base::FixedString<2 * name_bytes_max> feature_name(
    const Asset& asset, std::size_t feature
);

// For people: the channel's own, or what the statistic makes of it; empty for a ratio.
[[nodiscard]] std::string_view unit_of(const Asset& asset, std::size_t feature);

// CRC-32C over the feature names, each followed by '\n'; written as 8 lower-case hex digits.
[[nodiscard]] std::uint32_t feature_set_hash(const Asset& asset);

// The motor of the reference bill of materials: current (A), temperature (degC), vibration (g) and
// sound (Pa) in the contract's order, and the condition-monitoring features made of them.
[[nodiscard]] Asset shaded_pole_motor();

// The same, and what its current says of its rotor: needs a port that gives a signal without holes.
[[nodiscard]] Asset condition_monitoring();

// The reference design's own features of the same channels: frames of 64 samples, and of each but
// the temperature the frequency of the largest spectral line.
[[nodiscard]] Asset reference();

}  // namespace stator::asset
