#include "learn/quantise/tflite_writer.h"

#include <flatbuffers/flatbuffers.h>

#include <algorithm>
#include <utility>

namespace stator::quantise {

namespace {

namespace fb = flatbuffers;
namespace field = tinyml::field;

constexpr std::uint32_t schema_version = 3;
constexpr std::size_t buffer_alignment = 16;
constexpr std::uint32_t no_buffer = 0;  // by convention the first, empty one

// What generated code would call T::VT_NAME.
constexpr fb::voffset_t slot(unsigned number) {
    return static_cast<fb::voffset_t>(4 + 2 * number);
}

using Offset = fb::Offset<void>;

Offset ended(fb::FlatBufferBuilder& b, fb::uoffset_t start) {
    return Offset{b.EndTable(start)};
}

Offset write_buffer(fb::FlatBufferBuilder& b, const std::string& data) {
    fb::Offset<fb::Vector<std::uint8_t>> bytes;
    if (!data.empty()) {
        b.ForceVectorAlignment(data.size(), 1, buffer_alignment);
        bytes = b.CreateVector(reinterpret_cast<const std::uint8_t*>(data.data()), data.size());
    }
    const fb::uoffset_t start = b.StartTable();
    if (!data.empty()) b.AddOffset(slot(field::buffer::data), bytes);
    return ended(b, start);
}

Offset write_quantisation(fb::FlatBufferBuilder& b, const TensorSpec& tensor) {
    const auto scales = b.CreateVector(tensor.scales);
    const std::vector<std::int64_t> zeros(tensor.scales.size(), tensor.zero_point);
    const auto zero_points = b.CreateVector(zeros);
    const fb::uoffset_t start = b.StartTable();
    b.AddOffset(slot(field::quantization::scale), scales);
    b.AddOffset(slot(field::quantization::zero_point), zero_points);
    b.AddElement<std::int32_t>(slot(field::quantization::dimension), tensor.dimension, 0);
    return ended(b, start);
}

Offset write_tensor(fb::FlatBufferBuilder& b, const TensorSpec& tensor, std::uint32_t buffer) {
    const auto name = b.CreateString(tensor.name);
    const auto shape = b.CreateVector(tensor.shape);
    Offset quantisation;
    if (!tensor.scales.empty()) quantisation = write_quantisation(b, tensor);
    const fb::uoffset_t start = b.StartTable();
    b.AddOffset(slot(field::tensor::shape), shape);
    b.AddElement(slot(field::tensor::type), static_cast<std::int8_t>(tensor.kind), std::int8_t{0});
    b.AddElement<std::uint32_t>(slot(field::tensor::buffer), buffer, 0);
    b.AddOffset(slot(field::tensor::name), name);
    if (!tensor.scales.empty()) b.AddOffset(slot(field::tensor::quantization), quantisation);
    return ended(b, start);
}

Offset write_options(fb::FlatBufferBuilder& b, const OperatorSpec& op) {
    const fb::uoffset_t start = b.StartTable();
    for (const Option& option : op.options) {
        const fb::voffset_t at = slot(option.field);
        switch (option.width) {
            case Option::Width::byte:
                b.AddElement(at, static_cast<std::int8_t>(option.value), std::int8_t{0});
                break;
            case Option::Width::word:
                b.AddElement(at, static_cast<std::int32_t>(option.value), std::int32_t{0});
                break;
            case Option::Width::real:
                b.AddElement(at, static_cast<float>(option.value), 0.0F);
                break;
        }
    }
    return ended(b, start);
}

Offset write_operator(fb::FlatBufferBuilder& b, const OperatorSpec& op, std::uint32_t code) {
    const auto inputs = b.CreateVector(op.inputs);
    const auto outputs = b.CreateVector(op.outputs);
    Offset options;
    if (op.options_type != 0) options = write_options(b, op);
    const fb::uoffset_t start = b.StartTable();
    b.AddElement<std::uint32_t>(slot(field::operation::opcode_index), code, 0);
    b.AddOffset(slot(field::operation::inputs), inputs);
    b.AddOffset(slot(field::operation::outputs), outputs);
    if (op.options_type != 0) {
        b.AddElement<std::uint8_t>(slot(field::operation::options_type), op.options_type, 0);
        b.AddOffset(slot(field::operation::options), options);
    }
    return ended(b, start);
}

using Code = std::pair<tinyml::Op, std::int32_t>;  // with its version

Offset write_code(fb::FlatBufferBuilder& b, const Code& code) {
    const auto number = static_cast<std::int32_t>(code.first);
    const auto old_number = static_cast<std::int8_t>(std::min(number, 127));
    const fb::uoffset_t start = b.StartTable();
    b.AddElement(slot(field::operator_code::old_code), old_number, std::int8_t{0});
    b.AddElement<std::int32_t>(slot(field::operator_code::version), code.second, 1);
    b.AddElement<std::int32_t>(slot(field::operator_code::code), number, 0);
    return ended(b, start);
}

}  // namespace

std::int32_t TfliteWriter::add(TensorSpec tensor) {
    tensors_.push_back(std::move(tensor));
    return static_cast<std::int32_t>(tensors_.size() - 1);
}

void TfliteWriter::add(OperatorSpec op) {
    operators_.push_back(std::move(op));
}

std::string TfliteWriter::finish(
    std::int32_t input, std::int32_t output, const std::string& description
) const {
    fb::FlatBufferBuilder b;
    std::vector<Offset> buffers{write_buffer(b, {})};
    std::vector<Offset> tensors;
    for (const TensorSpec& tensor : tensors_) {
        std::uint32_t buffer = no_buffer;
        if (!tensor.data.empty()) {
            buffer = static_cast<std::uint32_t>(buffers.size());
            buffers.push_back(write_buffer(b, tensor.data));
        }
        tensors.push_back(write_tensor(b, tensor, buffer));
    }
    std::vector<Code> codes;
    std::vector<Offset> operators;
    for (const OperatorSpec& op : operators_) {
        const Code code{op.op, op.version};
        auto at = std::find(codes.begin(), codes.end(), code);
        if (at == codes.end()) at = codes.insert(codes.end(), code);
        const auto index = static_cast<std::uint32_t>(at - codes.begin());
        operators.push_back(write_operator(b, op, index));
    }
    std::vector<Offset> written_codes;
    for (const Code& code : codes)
        written_codes.push_back(write_code(b, code));

    const auto tensor_list = b.CreateVector(tensors);
    const auto inputs = b.CreateVector(std::vector<std::int32_t>{input});
    const auto outputs = b.CreateVector(std::vector<std::int32_t>{output});
    const auto operator_list = b.CreateVector(operators);
    fb::uoffset_t start = b.StartTable();
    b.AddOffset(slot(field::subgraph::tensors), tensor_list);
    b.AddOffset(slot(field::subgraph::inputs), inputs);
    b.AddOffset(slot(field::subgraph::outputs), outputs);
    b.AddOffset(slot(field::subgraph::operators), operator_list);
    const std::vector<Offset> subgraph{ended(b, start)};

    const auto code_list = b.CreateVector(written_codes);
    const auto subgraphs = b.CreateVector(subgraph);
    const auto text = b.CreateString(description);
    const auto buffer_list = b.CreateVector(buffers);
    start = b.StartTable();
    b.AddElement<std::uint32_t>(slot(field::model::version), schema_version, 0);
    b.AddOffset(slot(field::model::operator_codes), code_list);
    b.AddOffset(slot(field::model::subgraphs), subgraphs);
    b.AddOffset(slot(field::model::description), text);
    b.AddOffset(slot(field::model::buffers), buffer_list);
    b.Finish(ended(b, start), "TFL3");
    return {reinterpret_cast<const char*>(b.GetBufferPointer()), b.GetSize()};
}

}  // namespace stator::quantise
