// SOFTMAX along the last axis.
//
// int8 under double_ is TFLM's fixed-point computation; under single it is the real value rounded,
// within a step or two of LiteRT, which uses a float table.
#include "shared/tinyml/kernels.h"
#include "shared/tinyml/real_math.h"

#include <bit>
#include <cmath>

namespace stator::tinyml {

namespace {

constexpr int difference_bits = 5;
constexpr int sum_bits = 12;
constexpr std::uint32_t depth_max = 511;  // above it the sum leaves no bits for the last shift

struct Softmax8 {
    Place input;
    Place output;
    std::uint32_t rows = 0;
    std::uint32_t depth = 0;
    std::int32_t least = 0;  // below it a difference counts nothing
    Multiplier by;
    float scale_beta = 0;
};

struct SoftmaxReal {
    Place input;
    Place output;
    std::uint32_t rows = 0;
    std::uint32_t depth = 0;
    float beta = 1;
};

bool prepare_int8(Builder& b, const Operator& op, float beta, std::uint32_t depth) {
    const Tensor& input = b.in(op, 0);
    const Tensor& output = b.out(op);
    if (!is_all(b, op, Kind::int8, 1)) return false;
    if (output.scale != 1.0F / 256.0F || output.zero_point != -128) {
        return b.refuse(op, {"its output must have scale 1/256, zero -128"});
    }
    if (depth > depth_max) return b.refuse(op, {depth, " numbers, at most ", depth_max});
    const float scale_beta = input.scale * beta;
    if (!std::isfinite(scale_beta)) return b.refuse(op, {"its input's scale or beta is too large"});
    auto& r = b.record<Softmax8>(Kernel::softmax_int8);
    const double to_fixed = static_cast<double>(beta) * static_cast<double>(input.scale) *
                            (1 << (31 - difference_bits));
    const double held = std::min(to_fixed, 2147483647.0);
    if (!(held > 1.0)) return b.refuse(op, {"its input's scale or beta is too small"});
    int shift = 0;
    const double fraction = std::frexp(held, &shift);
    r.by = {
        static_cast<std::int32_t>(std::min(std::round(fraction * 2147483648.0), 2147483647.0)),
        shift
    };
    if (std::round(fraction * 2147483648.0) > 2147483647.0) r.by = {1 << 30, shift + 1};
    const double largest = std::ldexp((1 << difference_bits) - 1.0, 31 - difference_bits - shift);
    r.least = -static_cast<std::int32_t>(std::min(std::floor(largest), 255.0));
    r.scale_beta = scale_beta;
    r.input = b.place_in(op, 0);
    r.output = b.place_out(op);
    r.rows = input.count / depth;
    r.depth = depth;
    return true;
}

std::int32_t fixed_exp(const Softmax8& op, std::int32_t difference) {
    const std::int32_t fixed =
        high_product(wrapped_shift(difference, std::min<int>(op.by.shift, 31)), op.by.significand);
    return fixed_exp_of_negative(std::min<std::int32_t>(fixed, 0), difference_bits);
}

void fixed_row(const Softmax8& op, const std::int8_t* x, std::int8_t* y, std::int32_t top) {
    std::int32_t sum = 0;
    for (std::uint32_t i = 0; i < op.depth; ++i) {
        const std::int32_t difference = x[i] - top;
        if (difference < op.least) continue;
        sum = wrapped_sum(sum, rounded_shift(fixed_exp(op, difference), sum_bits));
    }
    // 1/sum as a number in (1/2, 1] and a shift
    const int zeros = std::countl_zero(static_cast<std::uint32_t>(sum));
    const auto above_one =
        static_cast<std::int32_t>((static_cast<std::uint32_t>(sum) << zeros) - 0x80000000U);
    const std::int32_t reciprocal = fixed_one_over_one_plus(above_one);
    const int shift = sum_bits - zeros + 31 - 8;
    for (std::uint32_t i = 0; i < op.depth; ++i) {
        const std::int32_t difference = x[i] - top;
        y[i] = -128;
        if (difference < op.least) continue;
        const std::int32_t part = high_product(reciprocal, fixed_exp(op, difference));
        y[i] = clamped(rounded_shift(part, shift) - 128);
    }
}

void real_row(const Softmax8& op, const std::int8_t* x, std::int8_t* y, std::int32_t top) {
    const auto scale = static_cast<double>(op.scale_beta);
    double sum = 0;
    for (std::uint32_t i = 0; i < op.depth; ++i)
        sum += real_exp(scale * (x[i] - top));
    for (std::uint32_t i = 0; i < op.depth; ++i) {
        const double part = real_exp(scale * (x[i] - top)) / sum;
        y[i] = clamped(static_cast<std::int32_t>(std::nearbyint(part * 256.0)) - 128);
    }
}

}  // namespace

bool prepare_softmax(Builder& b, const Operator& op) {
    if (!has_inputs(b, op, 1, 1)) return false;
    const Tensor& input = b.in(op, 0);
    const auto beta = op.options.scalar<float>(field::softmax::beta, 0.0F);
    if (!(beta > 0) || !std::isfinite(beta)) return b.refuse(op, {"its beta is not positive"});
    if (input.rank == 0 || !same_shape(input, b.out(op))) {
        return b.refuse(op, {"its input and output differ in shape"});
    }
    const auto depth = static_cast<std::uint32_t>(input.last_dim());
    if (!b.work(std::uint64_t{32} * input.count)) return false;
    if (input.kind == Kind::int8) return prepare_int8(b, op, beta, depth);
    if (!is_all(b, op, Kind::float32, 1)) return false;
    auto& r = b.record<SoftmaxReal>(Kernel::softmax_float);
    r.input = b.place_in(op, 0);
    r.output = b.place_out(op);
    r.rows = input.count / depth;
    r.depth = depth;
    r.beta = beta;
    return true;
}

template <Rounding rounding>
void run_softmax_int8(const Memory& memory, const std::byte* at) {
    const auto& op = numbers_of<Softmax8>(at);
    for (std::uint32_t row = 0; row < op.rows; ++row) {
        const std::int8_t* x = memory.in8(op.input) + std::size_t{row} * op.depth;
        std::int8_t* y = memory.out8(op.output) + std::size_t{row} * op.depth;
        const std::int32_t top = *std::max_element(x, x + op.depth);
        rounding == Rounding::double_ ? fixed_row(op, x, y, top) : real_row(op, x, y, top);
    }
}

template void run_softmax_int8<Rounding::double_>(const Memory&, const std::byte*);
template void run_softmax_int8<Rounding::single>(const Memory&, const std::byte*);

void run_softmax_float(const Memory& memory, const std::byte* at) {
    const auto& op = numbers_of<SoftmaxReal>(at);
    for (std::uint32_t row = 0; row < op.rows; ++row) {
        const std::uint32_t first = row * op.depth;
        float top = memory.real(op.input, first);
        for (std::uint32_t i = 1; i < op.depth; ++i)
            top = std::max(top, memory.real(op.input, first + i));
        const auto power = [&](std::uint32_t i) {
            const float difference = (memory.real(op.input, first + i) - top) * op.beta;
            return static_cast<float>(real_exp(static_cast<double>(difference)));
        };
        float sum = 0;
        for (std::uint32_t i = 0; i < op.depth; ++i)
            sum += power(i);
        for (std::uint32_t i = 0; i < op.depth; ++i)
            memory.put(op.output, first + i, power(i) / sum);
    }
}

}  // namespace stator::tinyml
