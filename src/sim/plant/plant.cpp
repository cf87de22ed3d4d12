#include "sim/plant/plant.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace stator::plant {

namespace {

constexpr double rate_hz = static_cast<double>(hal::sampling_rate_hz);
constexpr double mains_hz = 50.0;
constexpr double nominal_a = 0.60;
constexpr double ambient_degc = 24.0;
constexpr double rise_degc = 22.0;         // above ambient at the nominal current
constexpr double thermal_s = 90.0;         // time constant of the frame
constexpr double outer_race_ratio = 3.05;  // impacts a turn, 8-ball bearing (geometry of a 608)
constexpr double full_flow_l_per_min = 12.0;
constexpr double adc_noise_counts = 0.7;
constexpr double adc_top = 4095.0;

constexpr std::array<std::pair<Kind, std::string_view>, 4> names{{
    {Kind::bearing_wear, "bearing-wear"},
    {Kind::imbalance, "imbalance"},
    {Kind::overload, "overload"},
    {Kind::blocked_flow, "blocked-flow"},
}};

std::uint16_t counts_of(double physical, const asset::Calibration& calibration, Noise& noise) {
    const double counts = (physical - static_cast<double>(calibration.offset)) /
                              static_cast<double>(calibration.unit_per_count) +
                          static_cast<double>(calibration.zero_counts) +
                          adc_noise_counts * noise.normal();
    return static_cast<std::uint16_t>(std::clamp(std::floor(counts + 0.5), 0.0, adc_top));
}

}  // namespace

std::string_view name_of(Kind kind) {
    for (const auto& [it, name] : names)
        if (it == kind) return name;
    return "unknown";
}

std::optional<Kind> kind_named(std::string_view name) {
    for (const auto& [kind, it] : names)
        if (it == name) return kind;
    return std::nullopt;
}

Plant::Plant(std::uint64_t seed, const asset::Asset& asset)
    : asset_{asset}, noise_{seed}, fate_{seed ^ 0xFA7EFA7EFA7EU} {
    frame_degc_ = target_degc(condition().current_a);  // it has been running for a while
}

double Plant::severity_of(Kind kind) const {
    if (faults_.empty() || faults_.back().end_s != 0.0 || faults_.back().kind != kind) return 0.0;
    const Fault& fault = faults_.back();
    const double part = (now_s_ - fault.onset_s) / (fault.failure_s - fault.onset_s);
    // Wear breeds wear: slow at first.
    return part <= 0.0 ? 0.0 : std::min(part * part, 1.0);
}

double Plant::severity() const {
    return faults_.empty() ? 0.0 : severity_of(faults_.back().kind);
}

Plant::Condition Plant::condition() const {
    const double bearing = severity_of(Kind::bearing_wear);
    const double imbalance = severity_of(Kind::imbalance);
    const double overload = severity_of(Kind::overload);
    const double blocked = severity_of(Kind::blocked_flow);
    Condition made;
    made.current_a = nominal_a * (1.0 + mains_.value()) *
                     (1.0 + 0.025 * load_ + 0.40 * overload - 0.25 * blocked + 0.02 * bearing);
    // Slip grows with the torque.
    made.rotation_hz = 46.2 - 0.5 * load_ - 2.5 * overload + 1.0 * blocked;
    const double travel = 1.0 + mount_.value();
    made.imbalance_g = travel * (0.055 + 0.004 * load_ + 0.40 * imbalance + 0.02 * overload);
    made.impacts_g = travel * 1.1 * bearing;
    made.vibration_noise_g =
        travel * (0.032 + 0.006 * load_ + 0.02 * overload + 0.09 * blocked + 0.02 * bearing);
    made.sound_noise_pa =
        travel * (0.055 + 0.012 * load_ + 0.02 * overload + 0.16 * blocked + 0.05 * bearing);
    made.hum = travel * (1.0 + 0.03 * load_ + 0.5 * overload);
    made.eccentricity = 0.004 + 0.04 * imbalance;
    return made;
}

double Plant::target_degc(double current_a) const {
    const double relative = current_a / nominal_a;
    return ambient_degc + ambient_degc_.value() + rise_degc * relative * relative + 2.5 * load_ +
           6.0 * severity_of(Kind::bearing_wear) + 14.0 * severity_of(Kind::blocked_flow);
}

void Plant::step_thermal(double duration_s) {
    const double target = target_degc(condition().current_a);
    frame_degc_ = target + (frame_degc_ - target) * base::exponential(-duration_s / thermal_s);
}

void Plant::advance_to(double plant_s) {
    // In steps of a second, so that a run's signals do not depend on how often it is asked.
    constexpr double step_s = 1.0;
    while (plant_s - now_s_ >= step_s) {
        now_s_ += step_s;
        ambient_degc_.advance(step_s, noise_);
        mains_.advance(step_s, noise_);
        mount_.advance(step_s, noise_);
        step_thermal(step_s);
    }
}

void Plant::start(Kind kind, double onset_s, double growth_s) {
    if (!faults_.empty() && faults_.back().end_s == 0.0) faults_.back().end_s = now_s_;
    faults_.push_back({.kind = kind, .onset_s = onset_s, .failure_s = onset_s + growth_s});
}

void Plant::break_hidden() {
    const auto kind = static_cast<Kind>(fate_.bits() % names.size());
    const double onset_s = now_s_ + 10.0 + 40.0 * fate_.uniform();
    const double growth_s = 400.0 + 200.0 * fate_.uniform();
    start(kind, onset_s, growth_s);
}

void Plant::break_with(Kind kind, double growth_s) {
    start(kind, now_s_, growth_s);
}

void Plant::break_again() {
    if (faults_.empty()) {
        break_hidden();
    } else {
        break_with(faults_.back().kind);
    }
}

void Plant::repair() {
    if (!faults_.empty() && faults_.back().end_s == 0.0) faults_.back().end_s = now_s_;
}

void Plant::set_load(double level) {
    load_ = std::clamp(level, 0.0, 1.0);
}

double Plant::begin(Wave& wave, double frequency_hz, std::size_t samples) {
    constexpr double turn = 2.0 * std::numbers::pi;
    const double begins = gapless_ && wave ? *wave : noise_.uniform() * turn;
    const double turns = begins / turn + frequency_hz / rate_hz * static_cast<double>(samples);
    wave = (turns - std::floor(turns)) * turn;
    return begins;
}

Resonance Plant::quiet_housing() {
    return Resonance{3200.0, 0.0009, rate_hz};
}

void Plant::write_current(std::span<std::uint16_t> counts, const asset::Calibration& calibration) {
    const Condition now = condition();
    const double start = begin(current_, mains_hz, counts.size());
    Oscillator first{mains_hz, rate_hz, start};
    Oscillator third{3.0 * mains_hz, rate_hz, 3.0 * start + 0.4};
    Oscillator fifth{5.0 * mains_hz, rate_hz, 5.0 * start + 1.1};
    Oscillator rotor{
        now.rotation_hz, rate_hz, taken_ ? begin(rotor_, now.rotation_hz, counts.size()) : 0.0
    };
    const double depth = taken_ ? now.eccentricity : 0.0;
    // RMS of 1, 0.12, 0.05 is 1.0084: the fundamental carries the rest.
    const double amplitude = now.current_a * std::numbers::sqrt2 / 1.0084;
    for (std::uint16_t& count : counts)
        count = counts_of(
            amplitude * (1.0 + depth * rotor.next()) *
                (first.next() + 0.12 * third.next() + 0.05 * fifth.next()),
            calibration,
            noise_
        );
}

void Plant::write_temperature(
    std::span<std::uint16_t> counts, const asset::Calibration& calibration
) {
    for (std::uint16_t& count : counts)
        count = counts_of(frame_degc_, calibration, noise_);
}

void Plant::write_vibration(
    std::span<std::uint16_t> counts, const asset::Calibration& calibration
) {
    const Condition now = condition();
    const auto wave = [&](std::size_t i, double hz) {
        return Oscillator{hz, rate_hz, begin(vibration_[i], hz, counts.size())};
    };
    Oscillator turn = wave(0, now.rotation_hz);
    Oscillator twice = wave(1, 2.0 * now.rotation_hz);
    Oscillator hum = wave(2, 2.0 * mains_hz);
    if (!gapless_) housing_ = quiet_housing();
    const double period_s = 1.0 / (outer_race_ratio * now.rotation_hz);
    const bool goes_on = gapless_ && next_strike_s_;
    double next_s = goes_on ? *next_strike_s_ : period_s * noise_.uniform();
    double time_s = 0.0;
    for (std::uint16_t& count : counts) {
        double strike = 0.0;
        if (now.impacts_g > 0.0 && time_s >= next_s) {
            strike = now.impacts_g * (0.7 + 0.6 * noise_.uniform());
            next_s += period_s * (0.98 + 0.04 * noise_.uniform());  // balls slip
        }
        time_s += 1.0 / rate_hz;
        const double g = now.imbalance_g * turn.next() + 0.018 * now.hum * twice.next() +
                         0.040 * now.hum * hum.next() + housing_.next(strike) +
                         now.vibration_noise_g * noise_.normal();
        count = counts_of(g, calibration, noise_);
    }
    next_strike_s_ = std::max(0.0, next_s - time_s);
}

void Plant::write_sound(std::span<std::uint16_t> counts, const asset::Calibration& calibration) {
    const Condition now = condition();
    const auto wave = [&](std::size_t i, double hz) {
        return Oscillator{hz, rate_hz, begin(sound_[i], hz, counts.size())};
    };
    Oscillator hum = wave(0, 2.0 * mains_hz);
    Oscillator blades = wave(1, 5.0 * now.rotation_hz);
    for (std::uint16_t& count : counts) {
        const double blade = blades.next();
        count = counts_of(
            0.13 * now.hum * hum.next() + 0.05 * now.hum * blade + 0.4 * now.imbalance_g * blade +
                now.sound_noise_pa * noise_.normal(),
            calibration,
            noise_
        );
    }
}

base::Result<void> Plant::read(std::size_t channel, std::span<std::uint16_t> counts) {
    if (channel >= asset_.channels.size()) return std::unexpected{base::Fault::bad_input};
    const asset::Channel& it = asset_.channels[channel];
    const std::string_view name = it.name.view();
    if (name == "current") {
        write_current(counts, it.calibration);
    } else if (name == "temperature") {
        write_temperature(counts, it.calibration);
    } else if (name == "vibration") {
        write_vibration(counts, it.calibration);
    } else if (name == "sound") {
        write_sound(counts, it.calibration);
    } else {
        for (std::uint16_t& count : counts)
            count = static_cast<std::uint16_t>(2048.0 + 2.0 * noise_.normal());
    }
    spoil(sensor_faults_[channel], counts, it.counts_max);
    return {};
}

base::Result<std::size_t> Plant::follow(std::size_t channel, std::span<std::uint16_t> counts) {
    if (counts.empty()) return std::size_t{0};
    const bool was_gapless = std::exchange(gapless_, true);
    taken_ = true;
    const auto done = read(channel, counts);
    taken_ = false;
    gapless_ = was_gapless;
    if (!done) return std::unexpected{done.error()};
    return counts.size();
}

void Plant::set_sensor_fault(std::size_t channel, signal::SensorFault fault) {
    if (channel < sensor_faults_.size()) sensor_faults_[channel] = fault;
}

void Plant::spoil(signal::SensorFault fault, std::span<std::uint16_t> counts, std::uint16_t most) {
    switch (fault) {
        case signal::SensorFault::none:
            break;
        case signal::SensorFault::stuck:
            std::ranges::fill(counts, static_cast<std::uint16_t>(most / 3));
            break;
        case signal::SensorFault::saturated:  // a supply that sags: it meets the rail again and
                                              // again
            for (std::size_t i = 0; i < counts.size(); i += 3)
                counts[i] = most;
            break;
        case signal::SensorFault::disconnected:
            std::ranges::fill(counts, std::uint16_t{0});
            break;
        case signal::SensorFault::noisy:  // a loose contact
            for (std::uint16_t& count : counts)
                count = static_cast<std::uint16_t>(most * (0.05 + 0.9 * noise_.uniform()));
            break;
    }
}

base::Result<float> Plant::backup_flow_l_per_min() {
    if (!pump_on_ || backup_blocked_) return 0.0F;
    const double open = static_cast<double>(valve_degrees_) / 180.0;
    return static_cast<float>(
        std::max(0.0, full_flow_l_per_min * open + (open > 0.0 ? 0.1 * noise_.normal() : 0.0))
    );
}

}  // namespace stator::plant
