// Units turns the numbers of other people's fields into the units of our channels.
//
// A Unit is a quantity and the way to that quantity's base unit, which is the one the contract
// uses: A, degC, g (acceleration), Pa, mm/s, Hz, V, W, l/min, mm, s, 1.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace stator::adopt {

enum class Quantity : std::uint8_t {
    current,
    temperature,
    acceleration,
    pressure,
    velocity,
    frequency,
    voltage,
    power,
    flow,
    length,
    duration,
    ratio,
};

struct Unit {
    std::string_view name;
    Quantity quantity = Quantity::ratio;
    double scale = 1.0;  // base = value * scale + offset
    double offset = 0.0;
    bool decibel = false;  // base = scale * 10^(value / 20)
};

[[nodiscard]] std::string_view name_of(Quantity quantity);
[[nodiscard]] std::optional<Unit> find_unit(std::string_view name);
[[nodiscard]] Unit base_of(Quantity quantity);
// Of the same quantity: "degC, K, degF". For the sentence of an Error.
[[nodiscard]] std::string units_of(Quantity quantity);
[[nodiscard]] std::string all_units();
// Both must be of one quantity. Not finite where the target has no such value (dB of nothing).
[[nodiscard]] double convert(double value, const Unit& from, const Unit& to);

}  // namespace stator::adopt
