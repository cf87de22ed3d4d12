#include "shared/tinyml/plan.h"

#include <algorithm>
#include <array>

namespace stator::tinyml {

namespace {

// From the operator that makes a tensor to the last that reads it; shared bytes live as long as any
// tensor that shares them.
void find_lives(Graph& graph) {
    const auto touch = [&](std::int32_t tensor, std::uint16_t when) {
        if (tensor < 0) return;
        Tensor& root = graph.tensors[graph.tensors[static_cast<std::size_t>(tensor)].root];
        root.first = std::min(root.first, when);
        root.last = std::max(root.last, when);
    };
    std::uint16_t when = 0;
    touch(graph.input, when);
    for (const Operator& op : graph.operators) {
        ++when;
        for (const std::int16_t in : op.inputs)
            touch(in, when);
        touch(op.output, when);
    }
    touch(graph.output, ++when);
}

bool needs_bytes(const Graph& graph, const Tensor& tensor) {
    return graph.tensors.begin() + tensor.root == &tensor && tensor.produced && !tensor.constant &&
           !tensor.folded;
}

constexpr std::uint32_t aligned(std::uint32_t bytes) {
    return (bytes + 3U) & ~3U;
}

// Tensors by size, then by number.
class Order {
  public:
    // There are few, and a sort is 1 KB.
    void insert(Tensor& tensor) {
        std::size_t at = size_++;
        for (; at > 0 && tensors_[at - 1]->bytes < tensor.bytes; --at)
            tensors_[at] = tensors_[at - 1];
        tensors_[at] = &tensor;
    }

    [[nodiscard]] Tensor* const* begin() const { return tensors_.data(); }

    [[nodiscard]] Tensor* const* end() const { return begin() + size_; }

  private:
    std::array<Tensor*, tensors_max> tensors_;
    std::size_t size_ = 0;
};

}  // namespace

bool plan(Graph& graph, std::uint32_t base, std::uint32_t& end) {
    find_lives(graph);
    Order order;
    for (Tensor& tensor : graph.tensors)
        if (needs_bytes(graph, tensor)) order.insert(tensor);
    std::uint32_t last = base;
    for (Tensor* const* next = order.begin(); next != order.end(); ++next) {
        Tensor& tensor = **next;
        const std::uint32_t bytes = aligned(tensor.bytes);
        // a place that reaches into another's is not free, nor is any other up to that one's end
        std::uint32_t at = base;
        for (Tensor* const* other = order.begin(); other != next;) {
            const Tensor& in_place = **other++;
            const std::uint32_t behind = in_place.arena_at + aligned(in_place.bytes);
            if (in_place.last < tensor.first || in_place.first > tensor.last || at >= behind ||
                at + bytes <= in_place.arena_at) {
                continue;
            }
            at = behind;
            other = order.begin();
        }
        if (at + bytes > arena_bytes_max) {
            return graph.refuse({"the model needs more than 64 MiB to run"});
        }
        tensor.arena_at = at;
        last = std::max(last, at + bytes);
    }
    end = last;
    return true;
}

}  // namespace stator::tinyml
