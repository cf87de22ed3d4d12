// The parts of the .tflite schema (version 3) that tinyml reads: numbers of ops, types and fields.
//
// The numbers are those of tensorflow/lite/schema/schema.fbs; a field's number is its place in its
// table, counting a union as two.
#pragma once

#include <cstdint>
#include <string_view>

namespace stator::tinyml {

enum class Op : std::int32_t {
    add = 0,
    average_pool_2d = 1,
    concatenation = 2,
    conv_2d = 3,
    depthwise_conv_2d = 4,
    dequantize = 6,
    fully_connected = 9,
    logistic = 14,
    max_pool_2d = 17,
    mul = 18,
    relu = 19,
    relu6 = 21,
    reshape = 22,
    softmax = 25,
    tanh = 28,
    mean = 40,
    sub = 41,
    squeeze = 43,
    strided_slice = 45,
    expand_dims = 70,
    sum = 74,
    shape = 77,
    pack = 83,
    square = 92,
    leaky_relu = 98,
    squared_difference = 99,
    quantize = 114,
};

// "TRANSPOSE_CONV"; "CUSTOM" and "UNKNOWN" too.
[[nodiscard]] [[gnu::const]] std::string_view name_of(Op op);

enum class Kind : std::int8_t { float32 = 0, int32 = 2, uint8 = 3, int64 = 4, int8 = 9 };

[[nodiscard]] [[gnu::const]] std::string_view name_of(Kind kind);

[[nodiscard]] constexpr std::uint32_t bytes_of(Kind kind) {
    if (kind == Kind::int64) return 8;
    return kind == Kind::float32 || kind == Kind::int32 ? 4 : 1;
}

enum class Fused : std::int8_t { none = 0, relu = 1, relu_n1_to_1 = 2, relu6 = 3 };

enum class Padding : std::int8_t { same = 0, valid = 1 };

namespace field {
namespace model {
inline constexpr unsigned version = 0, operator_codes = 1, subgraphs = 2, description = 3,
                          buffers = 4;
}

namespace operator_code {
inline constexpr unsigned old_code = 0, custom_code = 1, version = 2, code = 3;
}

namespace subgraph {
inline constexpr unsigned tensors = 0, inputs = 1, outputs = 2, operators = 3;
}

namespace tensor {
inline constexpr unsigned shape = 0, type = 1, buffer = 2, name = 3, quantization = 4,
                          is_variable = 5, sparsity = 6;
}

namespace quantization {
inline constexpr unsigned scale = 2, zero_point = 3, details_type = 4, dimension = 6;
}

namespace operation {
inline constexpr unsigned opcode_index = 0, inputs = 1, outputs = 2, options_type = 3, options = 4;
}

namespace buffer {
inline constexpr unsigned data = 0, offset = 1;
}

namespace fully_connected {
inline constexpr unsigned activation = 0, weights_format = 1, keep_num_dims = 2;
}

namespace conv {
inline constexpr unsigned padding = 0, stride_w = 1, stride_h = 2, activation = 3, dilation_w = 4,
                          dilation_h = 5;
}

namespace depthwise {
inline constexpr unsigned padding = 0, stride_w = 1, stride_h = 2, multiplier = 3, activation = 4,
                          dilation_w = 5, dilation_h = 6;
}

namespace pool {
inline constexpr unsigned padding = 0, stride_w = 1, stride_h = 2, width = 3, height = 4,
                          activation = 5;
}

namespace softmax {
inline constexpr unsigned beta = 0;
}

namespace arithmetic {  // Add, Sub, Mul
inline constexpr unsigned activation = 0;
}

namespace reducer {
inline constexpr unsigned keep_dims = 0;
}

namespace leaky_relu {
inline constexpr unsigned alpha = 0;
}

namespace concatenation {
inline constexpr unsigned axis = 0, activation = 1;
}

namespace pack {
inline constexpr unsigned count = 0, axis = 1;
}

namespace strided_slice {
inline constexpr unsigned begin_mask = 0, end_mask = 1, ellipsis_mask = 2, new_axis_mask = 3,
                          shrink_axis_mask = 4;
}
}  // namespace field

}  // namespace stator::tinyml
