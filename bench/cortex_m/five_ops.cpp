// The kernels of five ops, in place of tinyml's table of all (kernels.cpp): FULLY_CONNECTED,
// LOGISTIC, RELU, QUANTIZE and DEQUANTIZE, in TFLM's rounding alone, for that is all the peer has.
#include "shared/tinyml/kernels.h"

#include <array>

namespace stator::tinyml {

namespace {

struct Known {
    Op op;
    bool (*prepare)(Builder&, const Operator&);
};

constexpr std::array known{
    Known{Op::fully_connected, prepare_fully_connected},
    Known{Op::logistic, prepare_activation},
    Known{Op::relu, prepare_activation},
    Known{Op::quantize, prepare_quantise},
    Known{Op::dequantize, prepare_quantise},
};

}  // namespace

Run run_of(Kernel kernel, Rounding) {
    switch (kernel) {
        case Kernel::fully_connected_int8:
            return run_fully_connected_int8<Rounding::double_>;
        case Kernel::fully_connected_float:
            return run_fully_connected_float;
        case Kernel::activation_int8:
            return run_activation_int8<Rounding::double_>;
        case Kernel::activation_float:
            return run_activation_float;
        case Kernel::quantise:
            return run_quantise;
        case Kernel::requantise:
            return run_requantise<Rounding::double_>;
        case Kernel::dequantise:
            return run_dequantise;
        default:
            return nullptr;
    }
}

bool prepare(Builder& builder, const Operator& op) {
    for (const Known& row : known)
        if (row.op == op.op) return row.prepare(builder, op);
    return builder.graph.refuse({"op ", name_of(op.op), " v", op.version, " not supported"});
}

}  // namespace stator::tinyml
