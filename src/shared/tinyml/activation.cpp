// RELU, RELU6, LOGISTIC and TANH, number by number.
//
// int8 LOGISTIC and TANH under double_ are gemmlowp's fixed-point functions of a number with four
// integer bits, which is what TFLM computes; under single they are the correctly rounded value,
// which is what LiteRT's table holds. TANH has kernels of its own, so that an image without it need
// not hold them.
#include "shared/tinyml/kernels.h"
#include "shared/tinyml/real_math.h"

#include <cmath>
#include <limits>

namespace stator::tinyml {

namespace {

enum class Curve : std::uint8_t { relu, relu6, logistic, tanh };

constexpr int integer_bits = 4;

struct Activation8 {
    Along along;
    float input_scale = 1;
    std::int32_t radius = 0;  // at and beyond it the curve is flat
    Multiplier by;
    Curve curve{};
    std::int8_t input_zero = 0;
    std::int8_t output_zero = 0;
    Range8 range;
};

struct ActivationReal {
    Along along;
    Curve curve{};
};

Curve curve_of(Op op) {
    if (op == Op::relu) return Curve::relu;
    if (op == Op::relu6) return Curve::relu6;
    return op == Op::logistic ? Curve::logistic : Curve::tanh;
}

// The output's scale is part of LOGISTIC's and TANH's definition.
bool has_fixed_output(Builder& b, const Operator& op, const Tensor& output) {
    const bool logistic = op.op == Op::logistic;
    const float scale = logistic ? 1.0F / 256.0F : 1.0F / 128.0F;
    const std::int32_t zero = logistic ? -128 : 0;
    if (output.zero_point == zero && std::fabs(output.scale - scale) < 1e-6F) return true;
    return b.refuse(op, {"its output must have scale 1/", logistic ? 256 : 128, ", zero ", zero});
}

bool prepare_curve(Builder& b, const Operator& op, float input_scale, Activation8& r) {
    constexpr float to_fixed = 1 << (31 - integer_bits);
    if (!quantised_quotient(input_scale, to_fixed, 1.0F, r.by)) {
        return b.refuse(op, {"its input's scale is too large"});
    }
    // the largest step whose fixed-point form does not overflow (TFLM CalculateInputRadius); steps
    // differ by 255 at most
    const int room = 31 - integer_bits - r.by.shift;  // -3 to 58
    r.radius = room > 8 ? 15 << 8 : (room < 0 ? 15 >> -room : 15 << room);
    return true;
}

bool prepare_int8(
    Builder& b, const Operator& op, Curve curve, const Tensor& input, const Tensor& output
) {
    auto& r =
        b.record<Activation8>(curve == Curve::tanh ? Kernel::tanh_int8 : Kernel::activation_int8);
    r.curve = curve;
    r.along = b.along(op);
    r.input_zero = static_cast<std::int8_t>(input.zero_point);
    r.output_zero = static_cast<std::int8_t>(output.zero_point);
    r.input_scale = input.scale;
    if (curve == Curve::logistic || curve == Curve::tanh) {
        return has_fixed_output(b, op, output) && prepare_curve(b, op, input.scale, r);
    }
    if (!quantised_quotient(input.scale / output.scale, 1.0F, 1.0F, r.by)) {
        return b.refuse(op, {"its scales are too far apart"});
    }
    return fused_range(b, op, curve == Curve::relu ? Fused::relu : Fused::relu6, output, r.range);
}

template <bool is_tanh>
std::int8_t exact_curve(const Activation8& op, std::int32_t x) {
    const double real = static_cast<double>(op.input_scale) * x;
    const double y = is_tanh ? real_tanh(real) * 128.0 : real_logistic(real) * 256.0;
    return clamped(static_cast<std::int32_t>(std::nearbyint(y)) + op.output_zero);
}

template <Rounding rounding, bool is_tanh>
std::int8_t curve_at(const Activation8& op, std::int32_t x) {
    if constexpr (rounding == Rounding::single) return exact_curve<is_tanh>(op, x);
    if (x <= -op.radius) return -128;
    if (x >= op.radius) return 127;
    const std::int32_t fixed = scaled<Rounding::double_>(x, op.by);
    const std::int32_t y = is_tanh ? rounded_shift(fixed_tanh(fixed, integer_bits), 31 - 7)
                                   : rounded_shift(fixed_logistic(fixed, integer_bits), 31 - 8);
    return clamped(y + op.output_zero);
}

template <Rounding rounding, bool is_tanh>
std::int8_t value_at(const Activation8& op, std::int8_t step) {
    const std::int32_t x = step - op.input_zero;
    if (is_tanh || op.curve == Curve::logistic) return curve_at<rounding, is_tanh>(op, x);
    const std::int32_t y = wrapped_sum(scaled<rounding>(x, op.by), op.output_zero);
    return clamped(y, op.range.low, op.range.high);
}

template <Rounding rounding, bool is_tanh>
void run_int8(const Memory& memory, const std::byte* at) {
    const auto& op = numbers_of<Activation8>(at);
    const std::int8_t* input = memory.in8(op.along.input);
    std::int8_t* output = memory.out8(op.along.output);
    for (std::uint32_t i = 0; i < op.along.count; ++i)
        output[i] = value_at<rounding, is_tanh>(op, input[i]);
}

template <Rounding rounding>
std::int8_t any_value_at(const Activation8& op, std::int8_t step) {
    return op.curve == Curve::tanh ? value_at<rounding, true>(op, step)
                                   : value_at<rounding, false>(op, step);
}

float real_value(Curve curve, float x) {
    if (curve == Curve::logistic) return float_logistic(x);
    if (curve == Curve::relu6 && x > 6.0F) return 6.0F;
    return x < 0.0F ? 0.0F : x;
}

}  // namespace

bool prepare_activation(Builder& b, const Operator& op) {
    if (!has_inputs(b, op, 1, 1)) return false;
    const Tensor& input = b.in(op, 0);
    const Tensor& output = b.out(op);
    if (input.count != output.count) return b.refuse(op, {"its input and output differ in size"});
    if (!b.work(std::uint64_t{16} * input.count)) return false;
    const Kind kind = input.kind == Kind::int8 ? Kind::int8 : Kind::float32;
    if (!is_all(b, op, kind, 1)) return false;
    const Curve curve = curve_of(op.op);
    if (kind == Kind::int8) return prepare_int8(b, op, curve, input, output);
    auto& r = b.record<ActivationReal>(
        curve == Curve::tanh ? Kernel::tanh_float : Kernel::activation_float
    );
    r.curve = curve;
    r.along = b.along(op);
    return true;
}

template <Rounding rounding>
void run_activation_int8(const Memory& memory, const std::byte* at) {
    run_int8<rounding, false>(memory, at);
}

template <Rounding rounding>
void run_tanh_int8(const Memory& memory, const std::byte* at) {
    run_int8<rounding, true>(memory, at);
}

template void run_activation_int8<Rounding::double_>(const Memory&, const std::byte*);
template void run_activation_int8<Rounding::single>(const Memory&, const std::byte*);
template void run_tanh_int8<Rounding::double_>(const Memory&, const std::byte*);
template void run_tanh_int8<Rounding::single>(const Memory&, const std::byte*);

Along activation_along(const std::byte* record) {
    const auto& op = numbers_of<Activation8>(record);
    return op.along;
}

void fill_activation(const std::byte* record, Rounding rounding, std::span<std::byte, 256> table) {
    const auto& op = numbers_of<Activation8>(record);
    fill_with(table, [&](std::int8_t x) {
        return rounding == Rounding::double_ ? any_value_at<Rounding::double_>(op, x)
                                             : any_value_at<Rounding::single>(op, x);
    });
}

void run_activation_float(const Memory& memory, const std::byte* at) {
    const auto& op = numbers_of<ActivationReal>(at);
    for (std::uint32_t i = 0; i < op.along.count; ++i)
        memory.put(op.along.output, i, real_value(op.curve, memory.real(op.along.input, i)));
}

void run_tanh_float(const Memory& memory, const std::byte* at) {
    const auto& op = numbers_of<ActivationReal>(at);
    for (std::uint32_t i = 0; i < op.along.count; ++i) {
        const auto x = static_cast<double>(memory.real(op.along.input, i));
        memory.put(op.along.output, i, static_cast<float>(real_tanh(x)));
    }
}

}  // namespace stator::tinyml
