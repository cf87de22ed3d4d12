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

bool prepare(Builder& builder, const Operator& op) {
    for (const Known& row : known) {
        if (row.op != op.op) continue;
        if (op.version < 1 || op.version > row.version_max) break;
        return row.prepare(builder, op);
    }
    return builder.graph.refuse({"op ", name_of(op.op), " v", op.version, " not supported"});
}

}  // namespace stator::tinyml
