// QUANTIZE and DEQUANTIZE: between real values and int8 steps, and between two int8 scales.
#include "shared/tinyml/kernels.h"
#include "shared/tinyml/steps.h"

namespace stator::tinyml {

namespace {

struct Quantise {
    Along along;
    std::int32_t zero = 0;
    float scale = 1;
};

struct Requantise {
    Along along;
    std::int32_t input_zero = 0;
    std::int32_t output_zero = 0;
    Multiplier by;
};

template <Rounding rounding>
std::int8_t moved(const Requantise& op, std::int8_t step) {
    const std::int32_t y = scaled<rounding>(step - op.input_zero, op.by);
    return clamped(wrapped_sum(y, op.output_zero));
}

bool prepare_requantise(Builder& b, const Operator& op, const Tensor& input, const Tensor& output) {
    if (!is_all(b, op, Kind::int8, 1)) return false;
    auto& r = b.record<Requantise>(Kernel::requantise);
    if (!quantised_quotient(input.scale, 1.0F, output.scale, r.by))
        return b.refuse(op, {"its scales are too far apart"});
    r.along = b.along(op);
    r.input_zero = input.zero_point;
    r.output_zero = output.zero_point;
    return true;
}

}  // namespace

bool prepare_quantise(Builder& b, const Operator& op) {
    if (!has_inputs(b, op, 1, 1)) return false;
    const Tensor& input = b.in(op, 0);
    const Tensor& output = b.out(op);
    if (input.count != output.count) return b.refuse(op, {"its input and output differ in size"});
    if (!b.work(input.count)) return false;
    const bool up = op.op == Op::dequantize;
    if (!up && input.kind == Kind::int8) return prepare_requantise(b, op, input, output);
    const Tensor& steps = up ? input : output;
    const Tensor& reals = up ? output : input;
    if (steps.kind != Kind::int8 || reals.kind != Kind::float32) {
        return b.refuse(op, {name_of(input.kind), " to ", name_of(output.kind), " not supported"});
    }
    if (!is_quantised(b, op, steps)) return false;
    auto& r = b.record<Quantise>(up ? Kernel::dequantise : Kernel::quantise);
    r.along = b.along(op);
    r.zero = steps.zero_point;
    r.scale = steps.scale;
    return true;
}

void run_quantise(const Memory& memory, const std::byte* at) {
    const auto& op = numbers_of<Quantise>(at);
    std::int8_t* output = memory.out8(op.along.output);
    for (std::uint32_t i = 0; i < op.along.count; ++i) {
        output[i] = step_of(memory.real(op.along.input, i), op.scale, op.zero);
    }
}

void run_dequantise(const Memory& memory, const std::byte* at) {
    const auto& op = numbers_of<Quantise>(at);
    const std::int8_t* input = memory.in8(op.along.input);
    for (std::uint32_t i = 0; i < op.along.count; ++i) {
        memory.put(op.along.output, i, real_of(input[i], op.scale, op.zero));
    }
}

Steps steps_of(const std::byte* record) {
    const auto& op = numbers_of<Quantise>(record);
    return {op.along, op.scale, op.zero};
}

template <Rounding rounding>
void run_requantise(const Memory& memory, const std::byte* at) {
    const auto& op = numbers_of<Requantise>(at);
    const std::int8_t* input = memory.in8(op.along.input);
    std::int8_t* output = memory.out8(op.along.output);
    for (std::uint32_t i = 0; i < op.along.count; ++i)
        output[i] = moved<rounding>(op, input[i]);
}

Along requantise_along(const std::byte* record) {
    const auto& op = numbers_of<Requantise>(record);
    return op.along;
}

void fill_requantise(const std::byte* record, Rounding rounding, std::span<std::byte, 256> table) {
    const auto& op = numbers_of<Requantise>(record);
    fill_with(table, [&](std::int8_t step) {
        return rounding == Rounding::double_ ? moved<Rounding::double_>(op, step)
                                             : moved<Rounding::single>(op, step);
    });
}

template void run_requantise<Rounding::double_>(const Memory&, const std::byte*);
template void run_requantise<Rounding::single>(const Memory&, const std::byte*);

}  // namespace stator::tinyml
