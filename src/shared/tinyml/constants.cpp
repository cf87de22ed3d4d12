#include "shared/tinyml/constants.h"

#include "shared/tinyml/kernels.h"

namespace stator::tinyml {

bool known_numbers(Builder& b, std::int32_t tensor, Whole& out) {
    if (tensor < 0) return false;
    const Tensor& t = b.graph.tensors[static_cast<std::size_t>(tensor)];
    if (t.kind != Kind::int32 || t.count > folded_max || (!t.folded && !t.constant)) return false;
    out.count = t.count;
    for (std::uint32_t i = 0; i < t.count; ++i) {
        const std::byte* at = b.graph.file.data() + t.data_at + std::size_t{4} * i;
        out.values[i] = t.folded ? b.graph.folded[t.folded_at + i] : load<std::int32_t>(at);
    }
    return true;
}

namespace {

bool fold(Builder& b, const Operator& op, const Whole& numbers) {
    Tensor& output = b.graph.tensors[op.output];
    if (output.kind != Kind::int32 || output.count != numbers.count || output.rank > 1) {
        return b.refuse(op, {"its output does not hold its ", numbers.count, " numbers"});
    }
    if (output.folded) return true;  // the operators are prepared twice
    output.folded = true;
    output.folded_at = static_cast<std::uint16_t>(b.graph.folded.size());
    if (numbers.count > folded_numbers_max - b.graph.folded.size()) {
        return b.refuse(op, {"too many numbers"});
    }
    for (std::uint32_t i = 0; i < numbers.count; ++i)
        b.graph.folded.add() = numbers.values[i];
    return true;
}

bool fold_slice(Builder& b, const Operator& op) {
    Whole from;
    Whole begin;
    Whole end;
    Whole stride;
    if (!has_inputs(b, op, 4, 4)) return false;
    if (!known_numbers(b, op.inputs[0], from) || !known_numbers(b, op.inputs[1], begin) ||
        !known_numbers(b, op.inputs[2], end) || !known_numbers(b, op.inputs[3], stride) ||
        begin.count != 1 || end.count != 1 || stride.count != 1 || stride.values[0] != 1) {
        return b.refuse(op, {"only supported on constants of rank 1, with stride 1"});
    }
    const auto bit = [&](unsigned field) {
        return (op.options.scalar<std::int32_t>(field, 0) & 1) != 0;
    };
    namespace slice = field::strided_slice;
    if (bit(slice::ellipsis_mask) || bit(slice::new_axis_mask)) {
        return b.refuse(op, {"ellipsis and added axes not supported"});
    }
    const auto size = static_cast<std::int64_t>(from.count);
    const auto held = [&](std::int64_t i) {
        return std::min(std::max<std::int64_t>(i < 0 ? i + size : i, 0), size);
    };
    const std::int64_t first = bit(slice::begin_mask) ? 0 : held(begin.values[0]);
    std::int64_t last = bit(slice::end_mask) ? size : held(end.values[0]);
    if (bit(slice::shrink_axis_mask)) last = std::min(first + 1, size);
    Whole out;
    for (std::int64_t i = first; i < last; ++i)
        out.values[out.count++] = from.values[static_cast<std::size_t>(i)];
    return fold(b, op, out);
}

// PACK of scalars and CONCATENATION of vectors are the same here.
bool fold_join(Builder& b, const Operator& op) {
    Whole out;
    const unsigned axis = op.op == Op::pack ? field::pack::axis : field::concatenation::axis;
    if (op.options.scalar<std::int32_t>(axis, 0) != 0) {
        return b.refuse(op, {"only supported along the first axis"});
    }
    const auto fused = op.options.scalar<std::int8_t>(field::concatenation::activation, 0);
    if (op.op == Op::concatenation && fused != 0) {
        return b.refuse(op, {"fused activation ", fused, " not supported"});
    }
    for (const std::int16_t input : op.inputs) {
        Whole part;
        if (!known_numbers(b, input, part)) return b.refuse(op, {"only supported on constants"});
        for (std::uint32_t i = 0; i < part.count; ++i) {
            if (out.count == folded_max) return b.refuse(op, {"too many numbers"});
            out.values[out.count++] = part.values[i];
        }
    }
    return fold(b, op, out);
}

}  // namespace

bool prepare_folded(Builder& b, const Operator& op) {
    if (op.op == Op::strided_slice) return fold_slice(b, op);
    if (op.op != Op::shape) return fold_join(b, op);
    if (!has_inputs(b, op, 1, 1)) return false;
    const Tensor& input = b.in(op, 0);
    Whole out;
    for (std::uint32_t i = 0; i < input.rank; ++i)
        out.values[out.count++] = input.dims[i];
    return fold(b, op, out);
}

// RESHAPE, EXPAND_DIMS and SQUEEZE move nothing: the output is the input's bytes.
bool prepare_same_bytes(Builder& b, const Operator& op) {
    if (!has_inputs(b, op, 1, 2)) return false;
    const Tensor& input = b.in(op, 0);
    Tensor& output = b.graph.tensors[op.output];
    if (input.kind != output.kind || input.count != output.count) {
        return b.refuse(op, {"its input and output differ in size or type"});
    }
    if (input.kind != Kind::float32 && input.kind != Kind::int8) {
        return b.refuse(op, {name_of(input.kind), " not supported"});
    }
    if (input.kind == Kind::int8 && (!is_all(b, op, Kind::int8, 1) || input.scale != output.scale ||
                                     input.zero_point != output.zero_point)) {
        return b.refuse(op, {"its input and output have different scales"});
    }
    Whole shape;
    if (op.op == Op::reshape && op.inputs.size() == 2 && op.inputs[1] >= 0) {
        if (!known_numbers(b, op.inputs[1], shape) || shape.count != output.rank) {
            return b.refuse(op, {"its shape is not known before it runs"});
        }
        for (std::uint32_t i = 0; i < shape.count; ++i) {
            if (shape.values[i] != -1 && shape.values[i] != output.dims[i]) {
                return b.refuse(op, {"its output does not have the shape it asks for"});
            }
        }
    }
    output.root = input.root;
    return true;
}

}  // namespace stator::tinyml
