#include "shared/tinyml/dense.h"

#include "shared/tinyml/dot.h"

#include <array>

namespace stator::tinyml {

namespace {

constexpr std::array<std::byte, 4> no_bias{};

// What a sum becomes: bias, multiplier, zero point, limits. (A copy of a Dense's: y is never part
// of it, so nothing need be read again behind a store.)
struct Finish {
    explicit Finish(const Dense& d)
        : bias{d.bias != nullptr ? d.bias : no_bias.data()},
          significands{d.scale.at},
          shifts{d.scale.shifts()},
          y{d.y},
          each_bias{d.bias != nullptr ? ~0U : 0U},
          each_scale{d.scale.count > 1 ? ~0U : 0U},
          zero{d.y_zero},
          low{d.low},
          high{d.high} {}

    template <Rounding rounding>
    [[gnu::always_inline]] void operator()(std::uint32_t total, std::uint32_t unit) const {
        const auto own = load<std::int32_t>(bias + std::size_t{4} * (unit & each_bias));
        const std::uint32_t channel = unit & each_scale;
        const std::int32_t steps = scaled<rounding>(
            wrapped_sum(static_cast<std::int32_t>(total), own),
            load<std::int32_t>(significands + std::size_t{4} * channel),
            shifts[channel]
        );
        y[unit] = clamped(wrapped_sum(steps, zero), low, high);
    }

    const std::byte* bias;
    const std::byte* significands;
    const std::int8_t* shifts;
    std::int8_t* y;
    std::uint32_t each_bias;
    std::uint32_t each_scale;
    std::int32_t zero;
    std::int32_t low;
    std::int32_t high;
};

}  // namespace

template <Rounding rounding>
void dense_portable(const Dense& d) {
    const Finish finish{d};
    const std::int8_t* const x = d.x;
    const std::uint32_t depth = d.depth;
    const std::uint32_t units = d.units;
    const std::int32_t zero = d.x_zero;
    std::uint32_t unit = 0;
    const std::int8_t* w = d.weights;
    for (; unit + 4 <= units; w += std::size_t{4} * depth) {
        std::array<std::uint32_t, 4> sums;
        four_dots(x, w, depth, zero, sums.data());
#pragma GCC unroll 4
        for (std::uint32_t i = 0; i < 4; ++i)
            finish.template operator()<rounding>(sums[i], unit + i);
        unit += 4;
    }
    for (; unit < units; ++unit, w += depth)
        finish.template operator()<rounding>(one_dot(x, w, depth, zero), unit);
}

template void dense_portable<Rounding::double_>(const Dense&);
template void dense_portable<Rounding::single>(const Dense&);

}  // namespace stator::tinyml
