// SUM and MEAN along axes that are known at load.
#include "shared/tinyml/constants.h"
#include "shared/tinyml/kernels.h"

#include <array>
#include <bit>

namespace stator::tinyml {

namespace {

// Four nested loops; a length of 1 where there is nothing to do.
struct Nest {
    std::array<std::uint32_t, rank_max> length{1, 1, 1, 1};
    std::array<std::uint32_t, rank_max> step{};
};

struct Reduce {
    Place input;
    Place output;
    Nest kept;
    Nest gone;
    std::uint32_t gone_count = 1;
    std::uint32_t mean = 0;
};

struct Reduce8 {
    Reduce reduce;
    std::int32_t input_zero = 0;
    std::int32_t output_zero = 0;
    Multiplier by;
};

template <typename Visit>
void over(const Nest& n, Visit visit) {
    for (std::uint32_t p = 0; p < n.length[0]; ++p) {
        for (std::uint32_t q = 0; q < n.length[1]; ++q) {
            for (std::uint32_t r = 0; r < n.length[2]; ++r) {
                const std::uint32_t at = p * n.step[0] + q * n.step[1] + r * n.step[2];
                for (std::uint32_t s = 0; s < n.length[3]; ++s)
                    visit(at + s * n.step[3]);
            }
        }
    }
}

bool prepare_common(Builder& b, const Operator& op, Reduce& r) {
    const Tensor& input = b.in(op, 0);
    Whole axes;
    if (!known_numbers(b, op.inputs[1], axes)) {
        return b.refuse(op, {"its axes are not known before it runs"});
    }
    std::array<bool, rank_max> gone{};
    for (std::uint32_t i = 0; i < axes.count; ++i) {
        const auto rank = static_cast<std::int32_t>(input.rank);
        const std::int32_t axis = axes.values[i] < 0 ? axes.values[i] + rank : axes.values[i];
        if (axis < 0 || axis >= rank) return b.refuse(op, {"it has no axis ", axes.values[i]});
        gone[static_cast<std::size_t>(axis)] = true;
    }
    std::uint32_t step = 1;
    std::uint32_t kept_count = 1;
    for (std::size_t d = input.rank; d-- > 0;) {
        const auto length = static_cast<std::uint32_t>(input.dims[d]);
        Nest& nest = gone[d] ? r.gone : r.kept;
        nest.length[d] = length;
        nest.step[d] = step;
        step *= length;
        (gone[d] ? r.gone_count : kept_count) *= length;
    }
    if (b.out(op).count != kept_count) return b.refuse(op, {"its output has not the right size"});
    r.input = b.place_in(op, 0);
    r.output = b.place_out(op);
    r.mean = op.op == Op::mean ? 1 : 0;
    return b.work(input.count);
}

// The 1/count of a mean goes into the multiplier (TFLM reference/reduce.h QuantizedMeanOrSum).
void divide(Multiplier& by, std::uint32_t count) {
    int shift = static_cast<int>(std::bit_width(count)) - 1;
    shift = std::min<int>(shift, 31 + by.shift);
    const std::int64_t wide = std::int64_t{by.significand} << shift;
    by = {static_cast<std::int32_t>(wide / count), by.shift - shift};
}

}  // namespace

bool prepare_reduce(Builder& b, const Operator& op) {
    if (!has_inputs(b, op, 2, 2)) return false;
    const Tensor& input = b.in(op, 0);
    const Tensor& output = b.out(op);
    if (input.kind != output.kind) return b.refuse(op, {"its input and output differ in type"});
    if (input.kind == Kind::float32) {
        return prepare_common(b, op, b.record<Reduce>(Kernel::reduce_float));
    }
    if (!is_all(b, op, Kind::int8, 1)) return false;
    auto& r = b.record<Reduce8>(Kernel::reduce_int8);
    if (!prepare_common(b, op, r.reduce)) return false;
    const double by = static_cast<double>(input.scale) / static_cast<double>(output.scale);
    if (!quantised(by, r.by)) return b.refuse(op, {"its scales are too far apart"});
    if (r.reduce.mean != 0) divide(r.by, r.reduce.gone_count);
    r.input_zero = input.zero_point;
    r.output_zero = output.zero_point;
    return true;
}

template <Rounding rounding>
void run_reduce_int8(const Memory& memory, const std::byte* at) {
    const auto& op = numbers_of<Reduce8>(at);
    const std::int8_t* input = memory.in8(op.reduce.input);
    std::int8_t* output = memory.out8(op.reduce.output);
    over(op.reduce.kept, [&](std::uint32_t kept) {
        std::int32_t sum = 0;  // at most 2^24 numbers of 2^8
        over(op.reduce.gone, [&](std::uint32_t gone) { sum += input[kept + gone]; });
        const std::int64_t zeros = std::int64_t{op.input_zero} * op.reduce.gone_count;
        const auto total = static_cast<std::int32_t>(sum - zeros);
        *output++ = clamped(wrapped_sum(scaled<rounding>(total, op.by), op.output_zero));
    });
}

template void run_reduce_int8<Rounding::double_>(const Memory&, const std::byte*);
template void run_reduce_int8<Rounding::single>(const Memory&, const std::byte*);

void run_reduce_float(const Memory& memory, const std::byte* at) {
    const auto& op = numbers_of<Reduce>(at);
    std::uint32_t i = 0;
    over(op.kept, [&](std::uint32_t kept) {
        float sum = 0;
        over(op.gone, [&](std::uint32_t gone) { sum += memory.real(op.input, kept + gone); });
        if (op.mean != 0) sum /= static_cast<float>(op.gone_count);
        memory.put(op.output, i++, sum);
    });
}

}  // namespace stator::tinyml
