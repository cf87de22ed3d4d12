#include "shared/tinyml/model.h"

#include "shared/tinyml/kernels.h"
#include "shared/tinyml/plan.h"
#include "shared/tinyml/steps.h"

#include <cassert>

namespace stator::tinyml {

namespace {

constexpr std::uint32_t alignment = 4;

bool prepare_all(Builder& builder) {
    for (const Operator& op : builder.graph.operators) {
        if (!prepare(builder, op)) return false;
        if (builder.graph.file.broken()) return builder.refuse(op, {"its options are damaged"});
        if (builder.overflowed()) return builder.refuse(op, {"it has too many channels"});
    }
    builder.close();
    return true;
}

Type type_of(const Tensor& tensor) {
    return tensor.kind == Kind::int8 ? Type::int8 : Type::float32;
}

// Reads, checks and plans; afterwards the graph can be built into an arena of needs.arena_bytes.
bool examine(Graph& graph, Needs& needs, bool built_behind) {
    if (!graph.parse()) return false;
    Builder counter{graph, nullptr, built_behind};
    std::uint32_t end = 0;
    if (!prepare_all(counter) || !plan(graph, counter.used(), end)) return false;
    const Tensor& input = graph.tensors[graph.input];
    const Tensor& output = graph.tensors[graph.output];
    needs.arena_bytes = std::size_t{end} + (alignment - 1);
    needs.input_count = input.count;
    needs.output_count = output.count;
    needs.input_type = type_of(input);
    needs.output_type = type_of(output);
    needs.macs = counter.macs();
    return true;
}

std::byte* aligned(std::byte* at) {
    const auto address = reinterpret_cast<std::uintptr_t>(at);
    return at + (alignment - address % alignment) % alignment;
}

}  // namespace

base::Result<Needs> check(std::span<const std::byte> file, Reason& reason) {
    Graph graph{file, reason};
    Needs needs;
    if (!examine(graph, needs, false)) return std::unexpected(base::Fault::bad_input);
    return needs;
}

base::Result<Model> Model::load(
    std::span<const std::byte> file, std::span<std::byte> arena, Reason& reason, Rounding rounding
) {
    Graph graph{file, reason};
    Model model;
    if (!examine(graph, model.needs_, true)) return std::unexpected(base::Fault::bad_input);
    if (arena.size() < model.needs_.arena_bytes) {
        say(reason, {"the model needs an arena of ", model.needs_.arena_bytes, " bytes"});
        return std::unexpected(base::Fault::full);
    }
    model.file_ = file.data();
    model.arena_ = aligned(arena.data());
    model.rounding_ = rounding;
    Builder builder{graph, model.arena_};
    if (!prepare_all(builder)) return std::unexpected(base::Fault::bad_input);
    model.records_ = builder.records();
    const Tensor& input = graph.tensors[graph.input];
    const Tensor& output = graph.tensors[graph.output];
    model.input_ = {builder.place(graph.input).at, input.scale, input.zero_point};
    model.output_ = {builder.place(graph.output).at, output.scale, output.zero_point};
    return model;
}

void Model::run() {
    const Memory memory{file_, arena_};
    std::uint32_t at = 0;
    for (std::uint32_t i = 0; i < records_; ++i) {
        const auto record = stator::tinyml::load<Record>(arena_ + at);
        const Run run_record = run_of(static_cast<Kernel>(record.kernel), rounding_);
        run_record(memory, arena_ + at + sizeof(Record));
        at = record.next();
    }
}

void Model::invoke(std::span<const float> input, std::span<float> output) {
    assert(input.size() == needs_.input_count && output.size() == needs_.output_count);
    const Memory memory{file_, arena_};
    if (needs_.input_type == Type::int8) {
        std::int8_t* steps = memory.out8({input_.place});
        for (std::size_t i = 0; i < input.size(); ++i) {
            steps[i] = step_of(input[i], input_.scale, input_.zero);
        }
    } else {
        std::memcpy(memory.out({input_.place}), input.data(), input.size_bytes());
    }
    run();
    if (needs_.output_type == Type::int8) {
        const std::int8_t* steps = memory.in8({output_.place});
        for (std::size_t i = 0; i < output.size(); ++i) {
            output[i] = real_of(steps[i], output_.scale, output_.zero);
        }
    } else {
        std::memcpy(output.data(), memory.in({output_.place}), output.size_bytes());
    }
}

void Model::invoke_raw(std::span<const std::int8_t> input, std::span<std::int8_t> output) {
    assert(input.size() == needs_.input_count && output.size() == needs_.output_count);
    assert(needs_.input_type == Type::int8 && needs_.output_type == Type::int8);
    const Memory memory{file_, arena_};
    std::memcpy(memory.out({input_.place}), input.data(), input.size());
    run();
    std::memcpy(output.data(), memory.in({output_.place}), output.size());
}

}  // namespace stator::tinyml
