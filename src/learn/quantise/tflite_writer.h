// A TfliteWriter puts tensors and operators together into the bytes of a .tflite file.
//
// Tensors are numbered as they are added. The file keeps to what every reader of the schema's
// version 3 knows: one subgraph, op codes in both the old and the new field, buffers aligned to 16.
#pragma once

#include "shared/tinyml/schema.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace stator::quantise {

struct TensorSpec {
    std::string name = {};
    tinyml::Kind kind = tinyml::Kind::float32;
    std::vector<std::int32_t> shape = {};
    std::vector<float> scales = {};  // none, one, or one a channel of dimension 0
    std::int32_t zero_point = 0;
    std::int32_t dimension = 0;
    std::string data = {};  // a constant's bytes, little-endian; empty otherwise
};

// One number of an operator's options, by its place in the options' table.
struct Option {
    enum class Width : std::uint8_t { byte, word, real };
    unsigned field = 0;
    Width width = Width::byte;
    double value = 0;
};

struct OperatorSpec {
    tinyml::Op op = tinyml::Op::add;
    std::int32_t version = 1;
    std::vector<std::int32_t> inputs = {};
    std::vector<std::int32_t> outputs = {};
    std::uint8_t options_type = 0;  // number in the schema's union BuiltinOptions; 0: none
    std::vector<Option> options = {};
};

class TfliteWriter {
  public:
    std::int32_t add(TensorSpec tensor);
    void add(OperatorSpec op);

    [[nodiscard]] const TensorSpec& tensor(std::int32_t i) const {
        return tensors_[static_cast<std::size_t>(i)];
    }

    [[nodiscard]] std::string finish(
        std::int32_t input, std::int32_t output, const std::string& description
    ) const;

  private:
    std::vector<TensorSpec> tensors_;
    std::vector<OperatorSpec> operators_;
};

}  // namespace stator::quantise
