#include "shared/tinyml/plan.h"

#include <algorithm>

namespace stator::tinyml {

namespace {

// From the operator that makes a tensor to the last that reads it; shared bytes live as long as any
// tensor that shares them.
void find_lives(Graph& graph) {
    const auto end = static_cast<std::uint16_t>(graph.operators.size() + 1);
    for (Tensor& tensor : graph.tensors) {
        tensor.first = end;
        tensor.last = 0;
    }
    const auto touch = [&](std::size_t tensor, std::size_t when) {
        Tensor& root = graph.tensors[graph.tensors[tensor].root];
        root.first = std::min(root.first, static_cast<std::uint16_t>(when));
        root.last = std::max(root.last, static_cast<std::uint16_t>(when));
    };
    touch(graph.input, 0);
    touch(graph.output, end);
    for (std::size_t i = 0; i < graph.operators.size(); ++i) {
        const Operator& op = graph.operators[i];
        for (const std::int16_t in : op.inputs) {
            if (in >= 0) touch(static_cast<std::size_t>(in), i + 1);
        }
        touch(op.output, i + 1);
    }
}

bool needs_bytes(const Graph& graph, std::size_t i) {
    const Tensor& tensor = graph.tensors[i];
    return tensor.root == i && tensor.produced && !tensor.constant && !tensor.folded;
}

constexpr std::uint32_t aligned(std::uint32_t bytes) {
    return (bytes + 3U) & ~3U;
}

using Order = Items<std::uint16_t, tensors_max>;

// Puts a tensor in front of the first that it goes before: there are few, and a sort is 1 KB.
template <typename Before>
bool insert(Order& order, std::uint16_t tensor, Before before) {
    if (order.add() == nullptr) return false;
    std::size_t at = order.size() - 1;
    for (; at > 0 && before(tensor, order[at - 1]); --at)
        order[at] = order[at - 1];
    order[at] = tensor;
    return true;
}

}  // namespace

bool plan(Graph& graph, std::uint32_t base, std::uint32_t& end) {
    find_lives(graph);
    Order order;  // by size, then by number
    const auto larger = [&](std::uint16_t a, std::uint16_t b) {
        return graph.tensors[a].bytes() > graph.tensors[b].bytes();
    };
    for (std::size_t i = 0; i < graph.tensors.size(); ++i) {
        if (!needs_bytes(graph, i)) continue;
        if (!insert(order, static_cast<std::uint16_t>(i), larger)) return false;
    }
    Order placed;  // by offset
    const auto earlier = [&](std::uint16_t a, std::uint16_t b) {
        return graph.tensors[a].arena_at < graph.tensors[b].arena_at;
    };
    end = base;
    for (const std::uint16_t index : order) {
        Tensor& tensor = graph.tensors[index];
        const std::uint32_t bytes = aligned(tensor.bytes());
        std::uint64_t at = base;
        for (const std::uint16_t other_index : placed) {
            const Tensor& other = graph.tensors[other_index];
            if (other.last < tensor.first || other.first > tensor.last) continue;
            if (at + bytes <= other.arena_at) break;
            at =
                std::max<std::uint64_t>(at, std::uint64_t{other.arena_at} + aligned(other.bytes()));
        }
        if (at + bytes > arena_bytes_max) {
            return graph.refuse({"the model needs more than 64 MiB to run"});
        }
        tensor.arena_at = static_cast<std::uint32_t>(at);
        end = std::max(end, tensor.arena_at + bytes);
        if (!insert(placed, index, earlier)) return false;
    }
    return true;
}

}  // namespace stator::tinyml
