#include "shared/tinyml/kernels.h"

#include <array>

namespace stator::tinyml {

namespace {

struct Known {
    Op op;
    std::int32_t version_max;
    bool (*prepare)(Builder&, const Operator&);
};

// Versions up to the newest whose meaning, for float32 and int8, we have checked against TFLM.
constexpr std::array known{
    Known{Op::fully_connected, 12, prepare_fully_connected},
    Known{Op::mul, 7, prepare_arithmetic},
    Known{Op::add, 5, prepare_arithmetic},
    Known{Op::sub, 5, prepare_arithmetic},
    Known{Op::squared_difference, 2, prepare_arithmetic},
    Known{Op::logistic, 3, prepare_activation},
    Known{Op::tanh, 3, prepare_activation},
    Known{Op::relu, 3, prepare_activation},
    Known{Op::relu6, 3, prepare_activation},
    Known{Op::square, 1, prepare_arithmetic},
    Known{Op::leaky_relu, 2, prepare_leaky},
    Known{Op::softmax, 3, prepare_softmax},
    Known{Op::conv_2d, 5, prepare_conv},
    Known{Op::depthwise_conv_2d, 6, prepare_conv},
    Known{Op::max_pool_2d, 3, prepare_pool},
    Known{Op::average_pool_2d, 3, prepare_pool},
    Known{Op::sum, 2, prepare_reduce},
    Known{Op::mean, 3, prepare_reduce},
    Known{Op::reshape, 1, prepare_same_bytes},
    Known{Op::expand_dims, 1, prepare_same_bytes},
    Known{Op::squeeze, 2, prepare_same_bytes},
    Known{Op::shape, 1, prepare_folded},
    Known{Op::strided_slice, 2, prepare_folded},
    Known{Op::pack, 2, prepare_folded},
    Known{Op::concatenation, 3, prepare_folded},
    Known{Op::quantize, 3, prepare_quantise},
    Known{Op::dequantize, 6, prepare_quantise},
};

template <Rounding rounding>
constexpr Run row_of(Kernel kernel) {
    switch (kernel) {
        case Kernel::fully_connected_int8:
            return run_fully_connected_int8<rounding>;
        case Kernel::fully_connected_float:
            return run_fully_connected_float;
        case Kernel::arithmetic_int8:
            return run_arithmetic_int8<rounding>;
        case Kernel::arithmetic_float:
            return run_arithmetic_float;
        case Kernel::activation_int8:
            return run_activation_int8<rounding>;
        case Kernel::activation_float:
            return run_activation_float;
        case Kernel::tanh_int8:
            return run_tanh_int8<rounding>;
        case Kernel::tanh_float:
            return run_tanh_float;
        case Kernel::conv_int8:
            return run_conv_int8<rounding>;
        case Kernel::conv_float:
            return run_conv_float;
        case Kernel::pool_int8:
            return run_pool_int8;
        case Kernel::pool_float:
            return run_pool_float;
        case Kernel::reduce_int8:
            return run_reduce_int8<rounding>;
        case Kernel::reduce_float:
            return run_reduce_float;
        case Kernel::softmax_int8:
            return run_softmax_int8<rounding>;
        case Kernel::softmax_float:
            return run_softmax_float;
        case Kernel::leaky_int8:
            return run_leaky_int8<rounding>;
        case Kernel::leaky_float:
            return run_leaky_float;
        case Kernel::quantise:
            return run_quantise;
        case Kernel::requantise:
            return run_requantise<rounding>;
        case Kernel::dequantise:
            return run_dequantise;
        case Kernel::count:
            break;
    }
    return nullptr;
}

}  // namespace

Run run_of(Kernel kernel, Rounding rounding) {
    return rounding == Rounding::double_ ? row_of<Rounding::double_>(kernel)
                                         : row_of<Rounding::single>(kernel);
}

std::optional<Along> curve_of(Kernel kernel, const std::byte* record) {
    switch (kernel) {
        case Kernel::activation_int8:
        case Kernel::tanh_int8:
            return activation_along(record);
        case Kernel::arithmetic_int8:
            return square_along(record);
        case Kernel::requantise:
            return requantise_along(record);
        default:
            return std::nullopt;
    }
}

void fill_table(
    Kernel kernel, const std::byte* record, Rounding rounding, std::span<std::byte, 256> table
) {
    if (kernel == Kernel::requantise) return fill_requantise(record, rounding, table);
    if (kernel == Kernel::arithmetic_int8) return fill_square(record, rounding, table);
    fill_activation(record, rounding, table);
}

bool prepare(Builder& builder, const Operator& op) {
    for (const Known& row : known) {
        if (row.op != op.op) continue;
        if (op.version < 1 || op.version > row.version_max) break;
        return row.prepare(builder, op);
    }
    return builder.graph.refuse({"op ", name_of(op.op), " v", op.version, " not supported"});
}

}  // namespace stator::tinyml
