// LEAKY_RELU: what is negative is scaled down, in int8 by a multiplier of its own.
#include "shared/tinyml/kernels.h"

#include <cmath>
#include <limits>

namespace stator::tinyml {

namespace {

struct Leaky8 {
    Place input;
    Place output;
    std::uint32_t count = 0;
    std::int32_t input_zero = 0;
    std::int32_t output_zero = 0;
    Multiplier by;
    Multiplier by_alpha;        // of the alpha's size
    std::uint32_t falling = 0;  // the alpha is negative
};

struct LeakyReal {
    Place input;
    Place output;
    std::uint32_t count = 0;
    float alpha = 0;
};

}  // namespace

bool prepare_leaky(Builder& b, const Operator& op) {
    if (!has_inputs(b, op, 1, 1)) return false;
    const Tensor& input = b.in(op, 0);
    const Tensor& output = b.out(op);
    const auto alpha = op.options.scalar<float>(field::leaky_relu::alpha, 0.0F);
    if (!std::isfinite(alpha)) return b.refuse(op, {"its alpha is no number"});
    if (input.count != output.count) return b.refuse(op, {"its input and output differ in size"});
    if (!b.work(input.count)) return false;
    if (input.kind == Kind::int8) {
        if (!is_all(b, op, Kind::int8, 1)) return false;
        auto& r = b.record<Leaky8>(Kernel::leaky_int8);
        const float down = input.scale * alpha / output.scale;
        if (!quantised(static_cast<double>(input.scale / output.scale), r.by) ||
            !quantised(static_cast<double>(std::fabs(down)), r.by_alpha)) {
            return b.refuse(op, {"its scales are too far apart"});
        }
        r.falling = down < 0 ? 1 : 0;
        r.input = b.place_in(op, 0);
        r.output = b.place_out(op);
        r.count = input.count;
        r.input_zero = input.zero_point;
        r.output_zero = output.zero_point;
        return true;
    }
    if (!is_all(b, op, Kind::float32, 1)) return false;
    auto& r = b.record<LeakyReal>(Kernel::leaky_float);
    r.input = b.place_in(op, 0);
    r.output = b.place_out(op);
    r.count = input.count;
    r.alpha = alpha;
    return true;
}

template <Rounding rounding>
void run_leaky_int8(const Memory& memory, const std::byte* at) {
    const auto& op = numbers_of<Leaky8>(at);
    const std::int8_t* input = memory.in8(op.input);
    std::int8_t* output = memory.out8(op.output);
    for (std::uint32_t i = 0; i < op.count; ++i) {
        const std::int32_t x = input[i] - op.input_zero;
        std::int32_t y = scaled<rounding>(x, x >= 0 ? op.by : op.by_alpha);
        if (x < 0 && op.falling != 0) y = -std::max(y, -std::numeric_limits<std::int32_t>::max());
        output[i] = clamped(wrapped_sum(y, op.output_zero));
    }
}

template void run_leaky_int8<Rounding::double_>(const Memory&, const std::byte*);
template void run_leaky_int8<Rounding::single>(const Memory&, const std::byte*);

void run_leaky_float(const Memory& memory, const std::byte* at) {
    const auto& op = numbers_of<LeakyReal>(at);
    for (std::uint32_t i = 0; i < op.count; ++i) {
        const float x = memory.real(op.input, i);
        memory.put(op.output, i, x > 0 ? x : x * op.alpha);
    }
}

}  // namespace stator::tinyml
