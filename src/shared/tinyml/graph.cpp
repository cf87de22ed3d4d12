#include "shared/tinyml/graph.h"

#include <charconv>

namespace stator::tinyml {

#if defined(STATOR_TINYML_TERSE)

void say_refused(Reason& reason) {
    static_cast<void>(reason.assign("refused"));
}

#else

void say(Reason& reason, std::initializer_list<Word> words) {
    reason.clear();
    for (const Word& word : words) {
        std::array<char, 12> digits{};
        std::string_view text{word.text, word.size};
        if (word.text == nullptr) {
            const auto number = static_cast<std::int32_t>(word.size);
            const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number);
            text = {digits.data(), static_cast<std::size_t>(end.ptr - digits.data())};
        }
        if (!reason.append(text)) return;  // full: the beginning says enough
    }
}

bool Graph::refuse(std::initializer_list<Word> words) {
    say(reason, words);
    return false;
}

#endif

bool Graph::parse() {
    if (too_large_) return refuse({"the file is larger than 64 MiB"});
    if (file.size() < 16 || load<std::uint32_t>(file.data() + 4) != 0x334C4654) {  // "TFL3"
        return refuse({"not a .tflite file: the identifier TFL3 is missing"});
    }
    const Table model{file, file.data()};
    const auto version = model.scalar<std::uint32_t>(field::model::version, 0);
    const Vector subgraphs = model.vector(field::model::subgraphs, 4);
    if (file.broken()) return refuse({"the file is cut off or damaged"});
    if (version != 3) return refuse({"schema version ", version, " is not supported, only 3 is"});
    if (subgraphs.size != 1) return refuse({subgraphs.size, " subgraphs, only 1 is supported"});
    const Table subgraph = model.item(subgraphs, 0);
    return parse_tensors(subgraph, model) && parse_ends(subgraph) &&
           parse_operators(subgraph, model);
}

bool Graph::parse_tensors(const Table& subgraph, const Table& model) {
    const Vector list = subgraph.vector(field::subgraph::tensors, 4);
    if (list.size > tensors_max) {
        return refuse({list.size, " tensors, at most ", tensors_max});
    }
    for (std::uint32_t i = 0; i < list.size; ++i) {
        const Table table = subgraph.item(list, i);
        Tensor& tensor = tensors.add();
        tensor.root = static_cast<std::uint16_t>(i);
        const auto kind = table.scalar<std::int8_t>(field::tensor::type, 0);
        tensor.kind = static_cast<Kind>(kind);
        if (kind != 0 && kind != 2 && kind != 3 && kind != 4 && kind != 9) {
            return refuse({"tensor ", i, " has type ", kind, ", which is not supported"});
        }
        if (table.scalar<std::uint8_t>(field::tensor::is_variable, 0) != 0) {
            return refuse({"tensor ", i, " is a variable: models keep no state"});
        }
        if (table.has(field::tensor::sparsity) && table.table(field::tensor::sparsity).present()) {
            return refuse({"tensor ", i, " is sparse, which is not supported"});
        }
        if (!parse_shape(table, tensor, i) || !parse_quantisation(table, tensor, i) ||
            !parse_data(table, model, tensor, i)) {
            return false;
        }
        if (file.broken()) return refuse({"tensor ", i, " is damaged"});
    }
    return file.broken() ? refuse({"the list of tensors is damaged"}) : true;
}

bool Graph::parse_shape(const Table& table, Tensor& tensor, std::uint32_t i) {
    const Vector shape = table.vector(field::tensor::shape, 4);
    if (shape.size > rank_max) {
        return refuse({"tensor ", i, " has rank ", shape.size, ", at most ", rank_max});
    }
    tensor.rank = shape.size;
    for (std::uint32_t d = 0; d < shape.size; ++d) {
        const auto length = table.number<std::int32_t>(shape, d);
        if (length < 1) return refuse({"tensor ", i, " has a dimension of ", length});
        if (static_cast<std::uint32_t>(length) > scalars_max / tensor.count) {
            return refuse({"tensor ", i, " has more than 2^24 numbers"});
        }
        tensor.dims[d] = length;
        tensor.count *= static_cast<std::uint32_t>(length);
    }
    tensor.bytes = tensor.count * bytes_of(tensor.kind);
    return true;
}

namespace {

// A float's bits: of a positive, finite number.
bool is_positive(std::uint32_t bits) {
    return bits - 1 < 0x7F7FFFFFU;
}

bool all_zero(const std::byte* at, std::uint32_t count) {
    std::uint64_t any = 0;
    for (const std::byte* const end = at + std::size_t{8} * count; at != end; at += 8)
        any |= load<std::uint64_t>(at);
    return any == 0;
}

}  // namespace

bool Graph::parse_quantisation(const Table& table, Tensor& tensor, std::uint32_t i) {
    const Table quantisation = table.table(field::tensor::quantization);
    if (!quantisation.present()) return true;
    const Vector scales = quantisation.vector(field::quantization::scale, 4);
    if (scales.size == 0) return true;
    const Vector zeros = quantisation.vector(field::quantization::zero_point, 8);
    const auto dimension = quantisation.scalar<std::uint32_t>(field::quantization::dimension, 0);
    if (quantisation.scalar<std::uint8_t>(field::quantization::details_type, 0) != 0) {
        return refuse({"tensor ", i, " has a custom quantisation"});
    }
    if (zeros.size > scales.size || (zeros.size != scales.size && zeros.size > 1)) {
        return refuse({"tensor ", i, ": ", zeros.size, " zero points, ", scales.size, " scales"});
    }
    tensor.quantised = true;
    tensor.scales = scales;
    tensor.scale = quantisation.number<float>(scales, 0);
    if (scales.size > 1) {
        if (dimension >= tensor.rank ||
            static_cast<std::uint32_t>(tensor.dims[dimension]) != scales.size) {
            return refuse({"tensor ", i, ": its ", scales.size, " scales fit no dimension"});
        }
        tensor.dimension = dimension;
    }
    // the vectors' extents were checked; there may be hundreds of numbers
    const std::byte* at = file.data() + scales.first;
    for (std::uint32_t k = 0; k < scales.size; ++k, at += 4) {
        if (!is_positive(load<std::uint32_t>(at))) {
            return refuse({"tensor ", i, ": scale ", k, " is not a positive number"});
        }
    }
    const bool symmetric = scales.size > 1 || tensor.kind == Kind::int32;
    const std::int32_t low = symmetric ? 0 : -128;
    const std::int32_t high = symmetric ? 0 : (tensor.kind == Kind::int8 ? 127 : 255);
    at = file.data() + zeros.first;
    if (symmetric && all_zero(at, zeros.size)) return true;
    for (std::uint32_t k = 0; k < zeros.size; ++k, at += 8) {
        const auto wide = load<std::int64_t>(at);
        const auto zero = static_cast<std::int32_t>(wide);
        if (wide < low || wide > high) {
            return refuse({"tensor ", i, ": zero point ", zero, " is out of range"});
        }
        if (k == 0) tensor.zero_point = zero;
    }
    return true;
}

bool Graph::parse_data(const Table& table, const Table& model, Tensor& t, std::uint32_t i) {
    const auto index = table.scalar<std::uint32_t>(field::tensor::buffer, 0);
    if (buffers_.size == 0) buffers_ = model.vector(field::model::buffers, 4);
    if (index == 0) return true;  // by convention the empty buffer
    if (index >= buffers_.size) return refuse({"tensor ", i, " names buffer ", index});
    const Table buffer = model.item(buffers_, index);
    const Vector data = buffer.vector(field::buffer::data, 1);
    if (buffer.scalar<std::uint64_t>(field::buffer::offset, 0) > 1) {
        return refuse({"buffer ", index, " lies behind the file's tables: not supported"});
    }
    if (data.size == 0) return true;
    if (data.size != t.bytes) {
        return refuse({"tensor ", i, ": buffer of ", data.size, " bytes, shape of ", t.bytes});
    }
    t.constant = true;
    t.data_at = data.first;
    return true;
}

bool Graph::parse_ends(const Table& subgraph) {
    const Vector inputs = subgraph.vector(field::subgraph::inputs, 4);
    const Vector outputs = subgraph.vector(field::subgraph::outputs, 4);
    if (inputs.size != 1 || outputs.size != 1) {
        return refuse({inputs.size, " inputs and ", outputs.size, " outputs, only 1 of each"});
    }
    const auto in = subgraph.number<std::int32_t>(inputs, 0);
    const auto out = subgraph.number<std::int32_t>(outputs, 0);
    if (!names_tensor(in) || !names_tensor(out)) {
        return refuse({"an input or output names a tensor that is not there"});
    }
    input = static_cast<std::uint16_t>(in);
    output = static_cast<std::uint16_t>(out);
    for (const std::uint16_t end : {input, output}) {
        const Tensor& tensor = tensors[end];
        if (tensor.constant) return refuse({"tensor ", end, ", an input or output, is constant"});
        if (tensor.kind != Kind::float32 && tensor.kind != Kind::int8) {
            return refuse({"inputs and outputs of type ", name_of(tensor.kind), " not supported"});
        }
        if (tensor.kind == Kind::int8 && (!tensor.quantised || tensor.per_channel())) {
            return refuse({"tensor ", end, " is int8 but has no scale of its own"});
        }
    }
    tensors[input].produced = true;
    return true;
}

bool Graph::parse_operators(const Table& subgraph, const Table& model) {
    const Vector list = subgraph.vector(field::subgraph::operators, 4);
    if (file.broken()) return refuse({"the list of operators is damaged"});
    if (list.size == 0) return refuse({"the model has no operators"});
    if (list.size > operators_max) {
        return refuse({list.size, " operators, at most ", operators_max});
    }
    for (std::uint32_t i = 0; i < list.size; ++i) {
        const Table table = subgraph.item(list, i);
        if (!parse_operator(table, model, static_cast<std::uint16_t>(i))) return false;
    }
    if (!tensors[output].produced) return refuse({"no operator makes the output"});
    return true;
}

bool Graph::parse_operator(const Table& table, const Table& model, std::uint16_t i) {
    const Vector codes = model.vector(field::model::operator_codes, 4);
    const auto index = table.scalar<std::uint32_t>(field::operation::opcode_index, 0);
    const Vector inputs = table.vector(field::operation::inputs, 4);
    const Vector outputs = table.vector(field::operation::outputs, 4);
    if (file.broken() || index >= codes.size) return refuse({"operator ", i, " is damaged"});
    const Table code = model.item(codes, index);
    Operator& made = operators.add();
    // Files from before 2020 have the code in a signed byte; newer ones fill both.
    const auto old_code = code.scalar<std::int8_t>(field::operator_code::old_code, 0);
    const auto new_code = code.scalar<std::int32_t>(field::operator_code::code, 0);
    made.op = static_cast<Op>(new_code > old_code ? new_code : old_code);
    made.version = code.scalar<std::int32_t>(field::operator_code::version, 1);
    made.options = table.table(field::operation::options);
    if (inputs.size > operands_max || outputs.size != 1) {
        return refuse(
            {"op ", name_of(made.op), ": ", inputs.size, " inputs, ", outputs.size, " outputs"}
        );
    }
    for (std::uint32_t k = 0; k < inputs.size; ++k) {
        const auto from = table.number<std::int32_t>(inputs, k);
        if (from != -1 && !names_tensor(from)) {
            return refuse({"op ", name_of(made.op), " reads tensor ", from, ", which is not there"}
            );
        }
        if (from >= 0) {
            const Tensor& tensor = tensors[static_cast<std::size_t>(from)];
            if (!tensor.constant && !tensor.produced) {
                return refuse(
                    {"op ", name_of(made.op), " reads tensor ", from, " before it is made"}
                );
            }
        }
        made.inputs.add() = static_cast<std::int16_t>(from);
    }
    const auto to = table.number<std::int32_t>(outputs, 0);
    if (file.broken()) return refuse({"operator ", i, " is damaged"});
    if (!names_tensor(to)) {
        return refuse({"op ", name_of(made.op), " writes tensor ", to, ", which is not there"});
    }
    made.output = static_cast<std::uint16_t>(to);
    Tensor& target = tensors[made.output];
    if (target.constant || target.produced) {
        return refuse(
            {"op ", name_of(made.op), " writes tensor ", to, ", which has a value already"}
        );
    }
    target.produced = true;
    return true;
}

}  // namespace stator::tinyml
