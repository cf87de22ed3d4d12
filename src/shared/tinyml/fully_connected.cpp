// FULLY_CONNECTED: each output is a row of weights times the input, plus a bias.
#include "shared/tinyml/dense.h"
#include "shared/tinyml/kernels.h"

namespace stator::tinyml {

namespace {

struct Shape {
    Place input;
    Place weights;
    Place bias;  // int32, or float32
    Place output;
    std::uint32_t per_channel : 1 = 0;
    std::uint32_t batches : 31 = 0;
    std::uint32_t depth = 0;
    std::uint32_t units = 0;
};

struct Dense8 {
    Shape shape;
    std::int8_t input_zero = 0;
    std::int8_t output_zero = 0;
    Range8 range;  // the multipliers lie behind: one, or one a unit
};

struct DenseReal {
    Shape shape;
    RangeReal range{};
};

// Its tensors but the bias.
struct Ends {
    const Tensor& input;
    const Tensor& weights;
    const Tensor& output;
};

bool has_shapes(Builder& b, const Operator& op, const Ends& ends) {
    const auto& [input, weights, output] = ends;
    if (weights.rank != 2 || !weights.constant) {
        return b.refuse(op, {"its weights are not a constant matrix"});
    }
    const auto units = static_cast<std::uint32_t>(weights.dims[0]);
    const auto depth = static_cast<std::uint32_t>(weights.dims[1]);
    if (input.count % depth != 0) {
        return b.refuse(op, {input.count, " inputs for rows of ", depth, " weights"});
    }
    const std::uint32_t batches = input.count / depth;
    if (output.count != std::uint64_t{batches} * units || output.rank == 0 ||
        output.last_dim() != weights.dims[0]) {
        return b.refuse(op, {"its output's shape does not fit ", units, " units"});
    }
    if (op.options.scalar<std::int8_t>(field::fully_connected::weights_format, 0) != 0) {
        return b.refuse(op, {"shuffled weights are not supported"});
    }
    if (op.inputs.size() == 3 && op.inputs[2] >= 0) {
        const Tensor& bias = b.in(op, 2);
        const Kind kind = input.kind == Kind::int8 ? Kind::int32 : Kind::float32;
        if (bias.count != units || bias.kind != kind || !bias.constant) {
            return b.refuse(op, {"its bias is not a constant of ", units, " numbers"});
        }
    }
    return b.work(std::uint64_t{weights.count} * batches);
}

void fill(const Builder& b, const Operator& op, const Ends& ends, Shape& shape) {
    shape.input = b.place_in(op, 0);
    shape.weights = b.place_in(op, 1);
    shape.bias = b.place_in(op, 2);
    shape.output = b.place_out(op);
    shape.units = static_cast<std::uint32_t>(ends.weights.dims[0]);
    shape.depth = static_cast<std::uint32_t>(ends.weights.dims[1]);
    shape.batches = ends.input.count / shape.depth & 0x7FFFFFFFU;
    shape.per_channel = ends.weights.per_channel() ? 1 : 0;
}

bool prepare_int8(Builder& b, const Operator& op, const Ends& ends, Fused fused) {
    const auto& [input, weights, output] = ends;
    if (weights.kind != Kind::int8 || output.kind != Kind::int8 || !weights.quantised ||
        weights.zero_point != 0 || (weights.per_channel() && weights.dimension != 0)) {
        return b.refuse(op, {"int8 input needs symmetric int8 weights and an int8 output"});
    }
    if (!is_quantised(b, op, input) || !is_quantised(b, op, output)) return false;
    auto& record = b.record<Dense8>(Kernel::fully_connected_int8);
    if (!fused_range(b, op, fused, output, record.range)) return false;
    fill(b, op, ends, record.shape);
    record.input_zero = static_cast<std::int8_t>(input.zero_point);
    record.output_zero = static_cast<std::int8_t>(output.zero_point);
    Place behind;
    return channel_scales(b, op, weights, behind);
}

bool prepare_float(Builder& b, const Operator& op, const Ends& ends, Fused fused) {
    if (!is_all(b, op, Kind::float32, 2)) return false;
    auto& record = b.record<DenseReal>(Kernel::fully_connected_float);
    fill(b, op, ends, record.shape);
    return fused_range(b, op, fused, record.range);
}

}  // namespace

bool prepare_fully_connected(Builder& b, const Operator& op) {
    if (!has_inputs(b, op, 2, 3)) return false;
    const Ends ends{b.in(op, 0), b.in(op, 1), b.out(op)};
    if (!has_shapes(b, op, ends)) return false;
    const auto fused =
        static_cast<Fused>(op.options.scalar<std::int8_t>(field::fully_connected::activation, 0));
    return ends.input.kind == Kind::int8 ? prepare_int8(b, op, ends, fused)
                                         : prepare_float(b, op, ends, fused);
}

Layer layer_of(const Memory& memory, const std::byte* record) {
    const auto& op = numbers_of<Dense8>(record);
    const Shape& shape = op.shape;
    return {
        .input = shape.input,
        .output = shape.output,
        .batches = shape.batches,
        .dense =
            {
                .weights = memory.in8(shape.weights),
                .bias = shape.bias.present() ? memory.in(shape.bias) : nullptr,
                .scale = {record + sizeof(Dense8), shape.per_channel != 0 ? shape.units : 1},
                .depth = shape.depth,
                .units = shape.units,
                .x_zero = op.input_zero,
                .y_zero = op.output_zero,
                .low = op.range.low,
                .high = op.range.high,
            },
    };
}

template <Rounding rounding>
void run_fully_connected_int8(const Memory& memory, const std::byte* at) {
    Layer layer = layer_of(memory, at);
    Dense& dense = layer.dense;
    dense.x = memory.in8(layer.input);
    dense.y = memory.out8(layer.output);
    for (std::uint32_t batch = 0; batch < layer.batches; ++batch) {
#if defined(__x86_64__)
        if (has_avx2()) {
            dense_avx2(dense, rounding);
        } else {
            dense_portable<rounding>(dense);
        }
#else
        dense_portable<rounding>(dense);
#endif
        dense.x += dense.depth;
        dense.y += dense.units;
    }
}

template void run_fully_connected_int8<Rounding::double_>(const Memory&, const std::byte*);
template void run_fully_connected_int8<Rounding::single>(const Memory&, const std::byte*);

void run_fully_connected_float(const Memory& memory, const std::byte* at) {
    const auto& op = numbers_of<DenseReal>(at);
    const Shape& shape = op.shape;
    const std::byte* const bias = shape.bias.present() ? memory.in(shape.bias) : nullptr;
    const std::byte* x = memory.in(shape.input);
    for (std::uint32_t batch = 0; batch < shape.batches; ++batch) {
        const std::byte* w = memory.in(shape.weights);
        for (std::uint32_t unit = 0; unit < shape.units; ++unit) {
            float sum = 0;
            for (std::uint32_t i = 0; i < shape.depth; ++i, w += 4)
                sum += load<float>(x + std::size_t{4} * i) * load<float>(w);
            if (bias != nullptr) sum += load<float>(bias + std::size_t{4} * unit);
            sum = std::min(std::max(sum, op.range.low), op.range.high);
            memory.put(shape.output, batch * shape.units + unit, sum);
        }
        x += std::size_t{4} * shape.depth;
    }
}

}  // namespace stator::tinyml
