// CONV_2D and DEPTHWISE_CONV_2D: a window of weights over an image.
//
// Weights lie as [out][height][width][in], depthwise ones as [1][height][width][out].
#include "shared/tinyml/kernels.h"
#include "shared/tinyml/window.h"

namespace stator::tinyml {

namespace {

struct Weights {
    Place input;
    Place weights;
    Place bias;
    Place output;
    std::uint32_t depthwise = 0;
    std::int32_t group_depth = 0;    // inputs that one output sees
    std::int32_t group_outputs = 1;  // outputs that share them
};

struct Conv8 {
    Window window;
    Weights weights;
    Place scale;
    std::uint32_t channels = 0;  // in scale: 1, or one an output
    std::int32_t input_zero = 0;
    std::int32_t output_zero = 0;
    Range8 range;
};

struct ConvReal {
    Window window;
    Weights weights;
    RangeReal range{};
};

// Where the weight lies that joins input channel `in` of the group to output `out`.
std::uint32_t weight_at(
    const Window& w, const Weights& weights, std::int32_t out, std::int32_t fy, std::int32_t fx
) {
    if (weights.depthwise != 0) {
        return static_cast<std::uint32_t>((fy * w.width + fx) * w.out_depth + out);
    }
    const std::int32_t row = (out * w.height + fy) * w.width + fx;
    return static_cast<std::uint32_t>(row * weights.group_depth);
}

bool read_options(const Operator& op, bool depthwise, Window& w, Padding& padding, Fused& fused) {
    const Table& o = op.options;
    namespace conv = field::conv;
    namespace depth = field::depthwise;
    padding = static_cast<Padding>(o.scalar<std::int8_t>(conv::padding, 0));
    w.stride_x = o.scalar<std::int32_t>(conv::stride_w, 0);
    w.stride_y = o.scalar<std::int32_t>(conv::stride_h, 0);
    const unsigned activation = depthwise ? depth::activation : conv::activation;
    fused = static_cast<Fused>(o.scalar<std::int8_t>(activation, 0));
    w.dilation_x = o.scalar<std::int32_t>(depthwise ? depth::dilation_w : conv::dilation_w, 1);
    w.dilation_y = o.scalar<std::int32_t>(depthwise ? depth::dilation_h : conv::dilation_h, 1);
    return true;
}

bool fit_weights(Builder& b, const Operator& op, const Window& w, Weights& r) {
    const Tensor& weights = b.in(op, 1);
    const std::int32_t outputs = weights.dims[r.depthwise != 0 ? 3 : 0];
    if (outputs != w.out_depth) return b.refuse(op, {"its weights do not fit its output"});
    if (r.depthwise != 0) {
        if (weights.dims[0] != 1 || w.out_depth % w.in_depth != 0) {
            return b.refuse(op, {"its weights do not fit its input"});
        }
        r.group_depth = 1;
        r.group_outputs = w.out_depth / w.in_depth;
    } else {
        r.group_depth = weights.dims[3];
        if (w.in_depth % r.group_depth != 0) {
            return b.refuse(op, {"its weights do not fit its input"});
        }
        const std::int32_t groups = w.in_depth / r.group_depth;
        if (w.out_depth % groups != 0) return b.refuse(op, {"its groups do not fit its output"});
        r.group_outputs = w.out_depth / groups;
    }
    if (op.inputs.size() == 3 && op.inputs[2] >= 0) {
        const Tensor& bias = b.in(op, 2);
        const Kind kind = b.in(op, 0).kind == Kind::int8 ? Kind::int32 : Kind::float32;
        if (!bias.constant || bias.kind != kind ||
            bias.count != static_cast<std::uint32_t>(w.out_depth)) {
            return b.refuse(op, {"its bias is not a constant, one number an output"});
        }
        r.bias = b.place_in(op, 2);
    }
    r.input = b.place_in(op, 0);
    r.weights = b.place_in(op, 1);
    r.output = b.place_out(op);
    const auto per_output = static_cast<std::uint64_t>(w.height) *
                            static_cast<std::uint64_t>(w.width) *
                            static_cast<std::uint64_t>(r.group_depth);
    return b.work(b.out(op).count * per_output);
}

template <typename Record>
bool prepare_common(Builder& b, const Operator& op, Record& record, Fused& fused) {
    const Tensor& weights = b.in(op, 1);
    Padding padding{};
    record.weights.depthwise = op.op == Op::depthwise_conv_2d ? 1 : 0;
    record.window.height = weights.dims[1];
    record.window.width = weights.dims[2];
    return read_options(op, record.weights.depthwise != 0, record.window, padding, fused) &&
           fit_window(b, op, padding, record.window) &&
           fit_weights(b, op, record.window, record.weights);
}

bool prepare_int8(Builder& b, const Operator& op) {
    const Tensor& input = b.in(op, 0);
    const Tensor& weights = b.in(op, 1);
    const Tensor& output = b.out(op);
    const std::uint32_t dimension = op.op == Op::depthwise_conv_2d ? 3 : 0;
    if (weights.kind != Kind::int8 || output.kind != Kind::int8 || !weights.quantised ||
        weights.zero_point != 0 || (weights.per_channel() && weights.dimension != dimension)) {
        return b.refuse(op, {"int8 input needs symmetric int8 weights and an int8 output"});
    }
    if (!is_quantised(b, op, input) || !is_quantised(b, op, output)) return false;
    auto& record = b.record<Conv8>(Kernel::conv_int8);
    Fused fused{};
    if (!prepare_common(b, op, record, fused)) return false;
    record.input_zero = input.zero_point;
    record.output_zero = output.zero_point;
    record.channels = weights.scales.size;
    return fused_range(b, op, fused, output, record.range) &&
           channel_scales(b, op, weights, record.scale);
}

bool prepare_float(Builder& b, const Operator& op) {
    if (!is_all(b, op, Kind::float32, 2)) return false;
    auto& record = b.record<ConvReal>(Kernel::conv_float);
    Fused fused{};
    return prepare_common(b, op, record, fused) && fused_range(b, op, fused, record.range);
}

}  // namespace

bool prepare_conv(Builder& b, const Operator& op) {
    if (!has_inputs(b, op, 2, 3)) return false;
    const Tensor& weights = b.in(op, 1);
    if (weights.rank != 4 || !weights.constant) {
        return b.refuse(op, {"its weights are not a constant of rank 4"});
    }
    return b.in(op, 0).kind == Kind::int8 ? prepare_int8(b, op) : prepare_float(b, op);
}

template <Rounding rounding>
void run_conv_int8(const Memory& memory, const std::byte* at) {
    const auto& op = numbers_of<Conv8>(at);
    const Window& w = op.window;
    const Weights& r = op.weights;
    const std::int8_t* input = memory.in8(r.input);
    const std::int8_t* weights = memory.in8(r.weights);
    const Multipliers scale{memory.in(op.scale), op.channels};
    std::int8_t* output = memory.out8(r.output);
    over_image(w, [&](std::int32_t batch, std::int32_t y, std::int32_t x) {
        for (std::int32_t out = 0; out < w.out_depth; ++out) {
            const std::int32_t first = out / r.group_outputs * r.group_depth;
            std::uint32_t sum = 0;  // wraps: a hostile bias may be anything
            over_filter(w, y, x, [&](auto fy, auto fx, auto in_y, auto in_x) {
                const std::int8_t* from = input + w.in_at(batch, in_y, in_x) + first;
                const std::int8_t* by = weights + weight_at(w, r, out, fy, fx);
                for (std::int32_t i = 0; i < r.group_depth; ++i) {
                    sum += static_cast<std::uint32_t>((from[i] - op.input_zero) * by[i]);
                }
            });
            const auto channel = static_cast<std::uint32_t>(out);
            auto total = static_cast<std::int32_t>(sum);
            if (r.bias.present()) total = wrapped_sum(total, memory.whole(r.bias, channel));
            const std::int32_t steps = scaled<rounding>(total, scale.of(channel));
            output[w.out_at(batch, y, x) + channel] =
                clamped(wrapped_sum(steps, op.output_zero), op.range.low, op.range.high);
        }
    });
}

template void run_conv_int8<Rounding::double_>(const Memory&, const std::byte*);
template void run_conv_int8<Rounding::single>(const Memory&, const std::byte*);

void run_conv_float(const Memory& memory, const std::byte* at) {
    const auto& op = numbers_of<ConvReal>(at);
    const Window& w = op.window;
    const Weights& r = op.weights;
    over_image(w, [&](std::int32_t batch, std::int32_t y, std::int32_t x) {
        for (std::int32_t out = 0; out < w.out_depth; ++out) {
            const auto channel = static_cast<std::uint32_t>(out);
            const std::int32_t first = out / r.group_outputs * r.group_depth;
            float sum = 0;
            over_filter(w, y, x, [&](auto fy, auto fx, auto in_y, auto in_x) {
                const std::uint32_t from =
                    w.in_at(batch, in_y, in_x) + static_cast<std::uint32_t>(first);
                const std::uint32_t by = weight_at(w, r, out, fy, fx);
                for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(r.group_depth); ++i) {
                    sum += memory.real(r.input, from + i) * memory.real(r.weights, by + i);
                }
            });
            if (r.bias.present()) sum += memory.real(r.bias, channel);
            sum = std::min(std::max(sum, op.range.low), op.range.high);
            memory.put(r.output, w.out_at(batch, y, x) + channel, sum);
        }
    });
}

}  // namespace stator::tinyml
