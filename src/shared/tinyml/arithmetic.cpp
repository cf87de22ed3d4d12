// ADD, SUB, MUL, SQUARED_DIFFERENCE and SQUARE, number by number, with NumPy's broadcasting.
#include "shared/tinyml/kernels.h"

#include <array>
#include <cmath>

namespace stator::tinyml {

namespace {

enum class Sum : std::uint32_t { add, sub, mul, squared_difference };

// How to walk two inputs along an output of four dimensions; a step of 0 repeats.
struct Walk {
    std::array<std::uint32_t, rank_max> dims{};
    std::array<std::uint32_t, rank_max> step_a{};
    std::array<std::uint32_t, rank_max> step_b{};
};

struct Arithmetic8 {
    Place a;
    Place b;
    Place output;
    Sum sum{};
    std::int32_t a_zero = 0;
    std::int32_t b_zero = 0;
    std::int32_t output_zero = 0;
    Multiplier by_a;
    Multiplier by_b;
    Multiplier by_output;
    Range8 range;
};

struct ArithmeticReal {
    Place a;
    Place b;
    Place output;
    Sum sum{};
    RangeReal range{};
};

// The walk lies behind the record's own numbers.
struct Walked8 {
    Arithmetic8 op;
    Walk walk;
};

struct WalkedReal {
    ArithmeticReal op;
    Walk walk;
};

std::uint32_t dim_from_back(const Tensor& t, std::size_t back) {
    return back < t.rank ? static_cast<std::uint32_t>(t.dims[t.rank - 1 - back]) : 1;
}

bool make_walk(Builder& builder, const Operator& op, const Tensor& a, const Tensor& b, Walk& walk) {
    const Tensor& output = builder.out(op);
    std::uint32_t size_a = 1;
    std::uint32_t size_b = 1;
    for (std::size_t back = 0; back < rank_max; ++back) {
        const std::size_t d = rank_max - 1 - back;
        const std::uint32_t of_a = dim_from_back(a, back);
        const std::uint32_t of_b = dim_from_back(b, back);
        const std::uint32_t of_output = dim_from_back(output, back);
        if ((of_a != of_output && of_a != 1) || (of_b != of_output && of_b != 1) ||
            std::max(of_a, of_b) != of_output) {
            return builder.refuse(op, {"its shapes do not broadcast to its output's"});
        }
        walk.dims[d] = of_output;
        walk.step_a[d] = of_a == 1 ? 0 : size_a;
        walk.step_b[d] = of_b == 1 ? 0 : size_b;
        size_a *= of_a;
        size_b *= of_b;
    }
    return builder.work(output.count);
}

// Calls visit(output index, a's index, b's index) for every number of the output.
template <typename Visit>
void along(const Walk& walk, Visit visit) {
    std::uint32_t i = 0;
    for (std::uint32_t p = 0; p < walk.dims[0]; ++p) {
        for (std::uint32_t q = 0; q < walk.dims[1]; ++q) {
            for (std::uint32_t r = 0; r < walk.dims[2]; ++r) {
                std::uint32_t a = p * walk.step_a[0] + q * walk.step_a[1] + r * walk.step_a[2];
                std::uint32_t b = p * walk.step_b[0] + q * walk.step_b[1] + r * walk.step_b[2];
                for (std::uint32_t s = 0; s < walk.dims[3]; ++s, ++i) {
                    visit(i, a, b);
                    a += walk.step_a[3];
                    b += walk.step_b[3];
                }
            }
        }
    }
}

constexpr int left_shift_sum = 20;        // TFLM add_common.cc, sub_common.cc
constexpr int left_shift_difference = 7;  // TFLM squared_difference.cc

// Scales as TFLM's prepare functions make them, in double.
bool make_scales(Builder& builder, const Operator& op, Arithmetic8& r) {
    const auto a = static_cast<double>(builder.in(op, 0).scale);
    const auto b = static_cast<double>(builder.in(op, op.inputs.size() - 1).scale);
    const auto output = static_cast<double>(builder.out(op).scale);
    bool sound = false;
    if (r.sum == Sum::mul) {
        sound = quantised(a * b / output, r.by_output);
    } else {
        const double twice = 2.0 * std::max(a, b);
        const double factor = r.sum == Sum::squared_difference
                                  ? twice * twice / ((1 << left_shift_difference * 2) * output)
                                  : twice / ((1 << left_shift_sum) * output);
        sound = quantised(a / twice, r.by_a) && quantised(b / twice, r.by_b) &&
                quantised(factor, r.by_output);
        if (r.sum != Sum::squared_difference && r.by_output.shift > 0) sound = false;
    }
    return sound || builder.refuse(op, {"its scales are too far apart"});
}

bool prepare_int8(Builder& builder, const Operator& op, Sum sum, Fused fused) {
    const std::size_t second = op.inputs.size() - 1;  // SQUARE is x * x
    if (!is_all(builder, op, Kind::int8, op.inputs.size())) return false;
    auto& record = builder.record<Walked8>(Kernel::arithmetic_int8);
    Arithmetic8& r = record.op;
    r.sum = sum;
    r.a = builder.place_in(op, 0);
    r.b = builder.place_in(op, second);
    r.output = builder.place_out(op);
    r.a_zero = builder.in(op, 0).zero_point;
    r.b_zero = builder.in(op, second).zero_point;
    r.output_zero = builder.out(op).zero_point;
    return make_walk(builder, op, builder.in(op, 0), builder.in(op, second), record.walk) &&
           fused_range(builder, op, fused, builder.out(op), r.range) && make_scales(builder, op, r);
}

bool prepare_float(Builder& builder, const Operator& op, Sum sum, Fused fused) {
    const std::size_t second = op.inputs.size() - 1;
    if (!is_all(builder, op, Kind::float32, op.inputs.size())) return false;
    auto& record = builder.record<WalkedReal>(Kernel::arithmetic_float);
    record.op.sum = sum;
    record.op.a = builder.place_in(op, 0);
    record.op.b = builder.place_in(op, second);
    record.op.output = builder.place_out(op);
    return make_walk(builder, op, builder.in(op, 0), builder.in(op, second), record.walk) &&
           fused_range(builder, op, fused, record.op.range);
}

template <Rounding rounding>
std::int32_t combine(const Arithmetic8& op, std::int32_t a, std::int32_t b) {
    if (op.sum == Sum::mul) return scaled<rounding>(a * b, op.by_output);
    const int shift = op.sum == Sum::squared_difference ? left_shift_difference : left_shift_sum;
    if (op.sum == Sum::squared_difference && rounding == Rounding::single) {
        // LiteRT has no XNNPACK kernel for this one: both engines round twice.
        return combine<Rounding::double_>(op, a, b);
    }
    const std::int32_t x = scaled<rounding>(a * (1 << shift), op.by_a);
    const std::int32_t y = scaled<rounding>(b * (1 << shift), op.by_b);
    if (op.sum == Sum::add) return scaled<rounding>(x + y, op.by_output);
    if (op.sum == Sum::sub) return scaled<rounding>(x - y, op.by_output);
    return scaled<rounding>((x - y) * (x - y), op.by_output);
}

float combine(Sum sum, float a, float b) {
    switch (sum) {
        case Sum::add:
            return a + b;
        case Sum::sub:
            return a - b;
        case Sum::mul:
            return a * b;
        case Sum::squared_difference:
            return (a - b) * (a - b);
    }
    return 0;
}

}  // namespace

bool prepare_arithmetic(Builder& builder, const Operator& op) {
    const bool unary = op.op == Op::square;
    if (!has_inputs(builder, op, unary ? 1 : 2, unary ? 1 : 2)) return false;
    Sum sum = Sum::mul;
    if (op.op == Op::add) sum = Sum::add;
    if (op.op == Op::sub) sum = Sum::sub;
    if (op.op == Op::squared_difference) sum = Sum::squared_difference;
    Fused fused = Fused::none;
    if (!unary && sum != Sum::squared_difference) {
        const auto number = op.options.scalar<std::int8_t>(field::arithmetic::activation, 0);
        fused = static_cast<Fused>(number);
    }
    return builder.in(op, 0).kind == Kind::int8 ? prepare_int8(builder, op, sum, fused)
                                                : prepare_float(builder, op, sum, fused);
}

std::optional<Along> square_along(const std::byte* record) {
    const auto& [op, walk] = numbers_of<Walked8>(record);
    if (op.sum != Sum::mul || op.a.at != op.b.at || walk.step_a != walk.step_b) return std::nullopt;
    std::uint32_t count = 1;
    for (std::size_t d = rank_max; d-- > 0; count *= walk.dims[d])
        if (walk.dims[d] != 1 && walk.step_a[d] != count) return std::nullopt;
    return Along{op.a, op.output, count};
}

void fill_square(const std::byte* record, Rounding rounding, std::span<std::byte, 256> table) {
    const auto& [op, walk] = numbers_of<Walked8>(record);
    fill_with(table, [&](std::int8_t step) {
        const std::int32_t x = step - op.a_zero;
        const std::int32_t y = rounding == Rounding::double_
                                   ? combine<Rounding::double_>(op, x, step - op.b_zero)
                                   : combine<Rounding::single>(op, x, step - op.b_zero);
        return clamped(wrapped_sum(y, op.output_zero), op.range.low, op.range.high);
    });
}

template <Rounding rounding>
void run_arithmetic_int8(const Memory& memory, const std::byte* at) {
    const auto [op, walk] = numbers_of<Walked8>(at);
    const std::int8_t* a = memory.in8(op.a);
    const std::int8_t* b = memory.in8(op.b);
    std::int8_t* output = memory.out8(op.output);
    along(walk, [&](std::uint32_t i, std::uint32_t ia, std::uint32_t ib) {
        const std::int32_t y = combine<rounding>(op, a[ia] - op.a_zero, b[ib] - op.b_zero);
        output[i] = clamped(wrapped_sum(y, op.output_zero), op.range.low, op.range.high);
    });
}

template void run_arithmetic_int8<Rounding::double_>(const Memory&, const std::byte*);
template void run_arithmetic_int8<Rounding::single>(const Memory&, const std::byte*);

void run_arithmetic_float(const Memory& memory, const std::byte* at) {
    const auto [op, walk] = numbers_of<WalkedReal>(at);
    along(walk, [&](std::uint32_t i, std::uint32_t ia, std::uint32_t ib) {
        const float y = combine(op.sum, memory.real(op.a, ia), memory.real(op.b, ib));
        memory.put(op.output, i, std::min(std::max(y, op.range.low), op.range.high));
    });
}

}  // namespace stator::tinyml
