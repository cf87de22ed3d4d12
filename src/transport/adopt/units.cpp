#include "transport/adopt/units.h"

#include <array>
#include <cmath>

namespace stator::adopt {

namespace {

constexpr double standard_gravity = 9.80665;  // m/s2, by definition
constexpr double psi_pa = 6894.757293168361;

// The first of each quantity is its base. Other spellings of a unit follow it.
constexpr std::array<Unit, 62> units{{
    {"A", Quantity::current, 1.0},
    {"mA", Quantity::current, 1e-3},
    {"uA", Quantity::current, 1e-6},
    {"kA", Quantity::current, 1e3},
    {"degC", Quantity::temperature, 1.0},
    {"C", Quantity::temperature, 1.0},
    {"\u00b0C", Quantity::temperature, 1.0},
    {"K", Quantity::temperature, 1.0, -273.15},
    {"degF", Quantity::temperature, 5.0 / 9.0, -160.0 / 9.0},
    {"F", Quantity::temperature, 5.0 / 9.0, -160.0 / 9.0},
    {"\u00b0F", Quantity::temperature, 5.0 / 9.0, -160.0 / 9.0},
    {"g", Quantity::acceleration, 1.0},
    {"mg", Quantity::acceleration, 1e-3},
    {"m/s2", Quantity::acceleration, 1.0 / standard_gravity},
    {"m/s^2", Quantity::acceleration, 1.0 / standard_gravity},
    {"mm/s2", Quantity::acceleration, 1e-3 / standard_gravity},
    {"Pa", Quantity::pressure, 1.0},
    {"hPa", Quantity::pressure, 1e2},
    {"mbar", Quantity::pressure, 1e2},
    {"kPa", Quantity::pressure, 1e3},
    {"MPa", Quantity::pressure, 1e6},
    {"bar", Quantity::pressure, 1e5},
    {"psi", Quantity::pressure, psi_pa},
    {"mPa", Quantity::pressure, 1e-3},
    {"dB_SPL", Quantity::pressure, 20e-6, 0.0, true},  // re 20 uPa
    {"mm/s", Quantity::velocity, 1.0},
    {"m/s", Quantity::velocity, 1e3},
    {"um/s", Quantity::velocity, 1e-3},
    {"in/s", Quantity::velocity, 25.4},
    {"Hz", Quantity::frequency, 1.0},
    {"kHz", Quantity::frequency, 1e3},
    {"rpm", Quantity::frequency, 1.0 / 60.0},
    {"1/min", Quantity::frequency, 1.0 / 60.0},
    {"V", Quantity::voltage, 1.0},
    {"mV", Quantity::voltage, 1e-3},
    {"kV", Quantity::voltage, 1e3},
    {"W", Quantity::power, 1.0},
    {"mW", Quantity::power, 1e-3},
    {"kW", Quantity::power, 1e3},
    {"MW", Quantity::power, 1e6},
    {"hp", Quantity::power, 745.6998715822702},
    {"l/min", Quantity::flow, 1.0},
    {"L/min", Quantity::flow, 1.0},
    {"l/s", Quantity::flow, 60.0},
    {"L/s", Quantity::flow, 60.0},
    {"m3/h", Quantity::flow, 1000.0 / 60.0},
    {"gpm", Quantity::flow, 3.785411784},  // US gallons
    {"mm", Quantity::length, 1.0},
    {"um", Quantity::length, 1e-3},
    {"cm", Quantity::length, 10.0},
    {"m", Quantity::length, 1e3},
    {"in", Quantity::length, 25.4},
    {"mil", Quantity::length, 0.0254},
    {"s", Quantity::duration, 1.0},
    {"ms", Quantity::duration, 1e-3},
    {"us", Quantity::duration, 1e-6},
    {"min", Quantity::duration, 60.0},
    {"h", Quantity::duration, 3600.0},
    {"1", Quantity::ratio, 1.0},
    {"%", Quantity::ratio, 1e-2},
    {"permille", Quantity::ratio, 1e-3},
    {"ppm", Quantity::ratio, 1e-6},
}};

constexpr std::array<std::string_view, 12> quantities{
    "current",
    "temperature",
    "acceleration",
    "pressure",
    "velocity",
    "frequency",
    "voltage",
    "power",
    "flow",
    "length",
    "duration",
    "ratio"
};

}  // namespace

std::string_view name_of(Quantity quantity) {
    return quantities[static_cast<std::size_t>(quantity)];
}

std::optional<Unit> find_unit(std::string_view name) {
    for (const Unit& unit : units)
        if (unit.name == name) return unit;
    return std::nullopt;
}

Unit base_of(Quantity quantity) {
    for (const Unit& unit : units)
        if (unit.quantity == quantity) return unit;
    return units.front();
}

std::string units_of(Quantity quantity) {
    std::string names;
    for (const Unit& unit : units)
        if (unit.quantity == quantity) names.append(names.empty() ? "" : ", ").append(unit.name);
    return names;
}

std::string all_units() {
    std::string names;
    for (const Unit& unit : units)
        names.append(names.empty() ? "" : ", ").append(unit.name);
    return names;
}

double convert(double value, const Unit& from, const Unit& to) {
    const double base =
        from.decibel ? from.scale * std::pow(10.0, value / 20.0) : value * from.scale + from.offset;
    return to.decibel ? 20.0 * std::log10(base / to.scale) : (base - to.offset) / to.scale;
}

}  // namespace stator::adopt
