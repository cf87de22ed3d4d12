// The Plant is a shaded-pole motor with its pump and backup line, which wears out: one more port of
// the HAL.
//
// Above the HAL nothing knows it: it gives ADC counts and takes valve degrees. Time is plant time
// and is moved by its owner. Faults come from the seed (kind, onset, growth: hidden until
// account()) or are ordered. A fault's severity grows from 0 at its onset to 1 at failure and stays
// there.
//
//   bearing-wear   impacts at the outer race's frequency ring the housing: crest, kurtosis, high
//   band imbalance      the rotor's own frequency grows: velocity, low band overload       more
//   current, more heat, a little more of everything blocked-flow   the pump churns: less current,
//   broad noise of cavitation
#pragma once

#include "sense/hal/machine.h"
#include "shared/asset/asset.h"
#include "shared/signal/sensor_fault.h"
#include "sim/plant/noise.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stator::plant {

enum class Kind : std::uint8_t { bearing_wear, imbalance, overload, blocked_flow };

[[nodiscard]] std::string_view name_of(Kind kind);
[[nodiscard]] std::optional<Kind> kind_named(std::string_view name);

struct Fault {
    Kind kind = Kind::bearing_wear;
    double onset_s = 0.0;    // plant time
    double failure_s = 0.0;  // severity 1
    double end_s = 0.0;      // repaired; 0 while it lasts
};

class Plant final : public hal::Adc, public hal::Actuators {
  public:
    // `asset`: whose channels current, temperature, vibration, sound are read; others read
    // mid-rail.
    Plant(std::uint64_t seed, const asset::Asset& asset);

    // Plant time, seconds since the motor was installed.
    void advance_to(double plant_s);

    [[nodiscard]] double now_s() const { return now_s_; }

    void break_hidden();  // kind, onset and growth from the seed
    void break_with(Kind kind, double growth_s = 500.0);
    void break_again();  // the kind of the last fault; hidden when there was none
    void repair();
    // 0 as commissioned, 1 the other operating point: more flow, so more noise of it and a little
    // more heat; a shaded-pole motor's current hardly follows its load.
    void set_load(double level);

    // From now on a channel's read begins where its last one ended: reads are pieces of one signal,
    // where they otherwise are looks at moments apart.
    void set_gapless() { gapless_ = true; }

    void set_backup_blocked(bool blocked) { backup_blocked_ = blocked; }

    // The other machine's contact: the backup line may not run.
    void set_excluded(bool excluded) { excluded_ = excluded; }

    // What is wrong with a channel's sensor, whatever the motor does; none: nothing any more.
    void set_sensor_fault(std::size_t channel, signal::SensorFault fault);

    [[nodiscard]] double severity() const;

    [[nodiscard]] const std::vector<Fault>& account() const { return faults_; }

    base::Result<void> read(std::size_t channel, std::span<std::uint16_t> counts) override;

    // Pieces of one signal. Only here does the current show the rotor: at the line +- the rotation,
    // the more the less it is balanced. A frame of 100 ms could not tell that from the line.
    base::Result<std::size_t> follow(std::size_t channel, std::span<std::uint16_t> counts) override;

    void set_valve_degrees(std::uint8_t degrees) override { valve_degrees_ = degrees; }

    void set_backup_pump(bool on) override { pump_on_ = on; }

    base::Result<float> backup_flow_l_per_min() override;

    bool excluded() override { return excluded_; }

  private:
    struct Condition {           // what the signals follow now
        double current_a = 0.0;  // RMS
        double rotation_hz = 0.0;
        double imbalance_g = 0.0;  // amplitude at the rotation
        double impacts_g = 0.0;
        double vibration_noise_g = 0.0;
        double sound_noise_pa = 0.0;
        double hum = 1.0;           // relative
        double eccentricity = 0.0;  // of the current's amplitude, at the rotation
    };

    [[nodiscard]] double severity_of(Kind kind) const;
    [[nodiscard]] Condition condition() const;
    [[nodiscard]] double target_degc(double current_a) const;
    void start(Kind kind, double onset_s, double growth_s);
    void step_thermal(double duration_s);

    void spoil(signal::SensorFault fault, std::span<std::uint16_t> counts, std::uint16_t most);
    [[nodiscard]] static Resonance quiet_housing();

    void write_current(std::span<std::uint16_t> counts, const asset::Calibration& calibration);
    void write_temperature(std::span<std::uint16_t> counts, const asset::Calibration& calibration);
    void write_vibration(std::span<std::uint16_t> counts, const asset::Calibration& calibration);
    void write_sound(std::span<std::uint16_t> counts, const asset::Calibration& calibration);

    // Where a wave begins that this read follows for so many samples: anywhere, or where the last
    // read left it. Radians.
    using Wave = std::optional<double>;
    [[nodiscard]] double begin(Wave& wave, double frequency_hz, std::size_t samples);

    const asset::Asset& asset_;
    Noise noise_;
    Noise fate_;
    Wander ambient_degc_{0.25, 1800.0};
    Wander mains_{0.003, 300.0};  // relative
    Wander mount_{0.012, 600.0};  // relative: how well vibration and sound travel
    double now_s_ = 0.0;
    double frame_degc_ = 0.0;
    double load_ = 0.0;
    bool gapless_ = false;
    bool taken_ = false;
    Wave current_;
    Wave rotor_;
    std::array<Wave, 3> vibration_;
    std::array<Wave, 2> sound_;
    Resonance housing_ = quiet_housing();
    std::optional<double> next_strike_s_;  // from the next read's begin
    bool backup_blocked_ = false;
    bool pump_on_ = false;
    bool excluded_ = false;
    std::array<signal::SensorFault, asset::channels_max> sensor_faults_{};
    std::uint8_t valve_degrees_ = 0;
    std::vector<Fault> faults_;  // the last may be the present one
};

}  // namespace stator::plant
