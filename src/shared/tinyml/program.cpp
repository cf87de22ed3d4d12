#include "shared/tinyml/program.h"

#include "shared/tinyml/steps.h"

#include <array>
#include <bit>
#include <cmath>
#include <limits>

namespace stator::tinyml {

void Builder::close() {
    if (kernel_ == Kernel::count) return;
    if (arena_ != nullptr) {
        const Record record{static_cast<std::uint8_t>(kernel_), used_ / 4 & 0xFFFFFFU};
        std::memcpy(arena_ + open_at_, &record, sizeof record);
    }
    kernel_ = Kernel::count;
}

std::byte* Builder::open(Kernel kernel, std::uint32_t bytes) {
    close();
    open_at_ = used_;
    kernel_ = kernel;
    ++records_;
    used_ += static_cast<std::uint32_t>(sizeof(Record)) + bytes;
    return arena_ == nullptr ? scratch_.data() : arena_ + open_at_ + sizeof(Record);
}

std::span<std::byte> Builder::room(std::uint32_t bytes, Place& place) {
    place.at = used_;
    used_ += bytes;
    if (arena_ == nullptr) return {};
    return {arena_ + place.at, bytes};
}

Place Builder::place(std::int32_t tensor) const {
    if (tensor < 0) return {};
    const Tensor& own = graph.tensors[static_cast<std::size_t>(tensor)];
    const Tensor& root = graph.tensors[own.root];
    if (root.constant) return {root.data_at | Place::in_file};
    return {root.arena_at};
}

Place Builder::place_in(const Operator& op, std::size_t i) const {
    return place(i < op.inputs.size() ? op.inputs[i] : -1);
}

Along Builder::along(const Operator& op) const {
    return {place_in(op, 0), place_out(op), out(op).count};
}

const Tensor& Builder::in(const Operator& op, std::size_t i) const {
    return graph.tensors[static_cast<std::size_t>(op.inputs[i])];
}

const Tensor& Builder::out(const Operator& op) const {
    return graph.tensors[op.output];
}

bool Builder::work(std::uint64_t macs) {
    macs_ += macs;
    if (macs_ <= macs_max) return true;
    return graph.refuse({"one run takes more than 2^28 multiplications"});
}

#if !defined(STATOR_TINYML_TERSE)
bool Builder::refuse(const Operator& op, std::initializer_list<Word> words) {
    Reason tail;
    say(tail, words);
    return graph.refuse({"op ", name_of(op.op), ": ", tail.view()});
}
#endif

bool has_inputs(Builder& b, const Operator& op, std::size_t least, std::size_t most) {
    const std::size_t count = op.inputs.size();
    if (count < least || count > most) {
        return b.refuse(op, {count, " inputs"});
    }
    for (std::size_t i = 0; i < least; ++i) {
        if (op.inputs[i] < 0) return b.refuse(op, {"input ", i, " missing"});
    }
    return true;
}

bool is_quantised(Builder& b, const Operator& op, const Tensor& tensor) {
    if (tensor.quantised && !tensor.per_channel()) return true;
    return b.refuse(op, {"an int8 tensor has no scale of its own"});
}

bool is_all(Builder& b, const Operator& op, Kind kind, std::size_t inputs) {
    for (std::size_t i = 0; i <= inputs; ++i) {
        const Tensor& tensor = i < inputs ? b.in(op, i) : b.out(op);
        if (tensor.kind != kind) {
            return b.refuse(
                op, {name_of(tensor.kind), " beside ", name_of(kind), " not supported"}
            );
        }
        if (kind == Kind::int8 && !is_quantised(b, op, tensor)) return false;
    }
    return true;
}

bool same_shape(const Tensor& a, const Tensor& b) {
    return a.rank == b.rank && a.dims == b.dims;
}

bool channel_scales(Builder& b, const Operator& op, const Tensor& weights, Place& place) {
    const float input = b.in(op, 0).scale;
    const float output = b.out(op).scale;
    const std::uint32_t count = weights.scales.size;
    const std::span<std::byte> room = b.room(Multipliers::bytes(count), place);
    if (b.again()) return true;
    constexpr auto one = std::bit_cast<std::array<std::byte, 4>>(1.0F);
    const bool as_floats = count == 1 && op.op == Op::fully_connected;
    const Ratio ratio{as_floats ? input * weights.scale : input, output};
    const std::byte* const scales = b.graph.file.data() + weights.scales.first;
    const std::uint32_t fit = ratio.times(as_floats ? one.data() : scales, count, room.data());
    return fit == count || b.refuse(op, {"the scales of channel ", fit, " are too far apart"});
}

bool fused_range(Builder& b, const Operator& op, Fused fused, RangeReal& range) {
    range = {std::numeric_limits<float>::lowest(), std::numeric_limits<float>::max()};
    switch (fused) {
        case Fused::none:
            return true;
        case Fused::relu:
            range.low = 0.0F;
            return true;
        case Fused::relu6:
            range = {0.0F, 6.0F};
            return true;
        case Fused::relu_n1_to_1:
            range = {-1.0F, 1.0F};
            return true;
    }
    return b.refuse(op, {"fused activation ", static_cast<int>(fused), " not supported"});
}

namespace {

bool edge(float value, const Tensor& output, std::int8_t& step) {
    const float steps = value / output.scale;
    if (!(std::fabs(steps) < 1e9F)) return false;
    step = clamped(output.zero_point + nearest(steps));
    return true;
}

}  // namespace

bool fused_range(Builder& b, const Operator& op, Fused fused, const Tensor& output, Range8& range) {
    range = {};
    RangeReal reals{};
    if (!fused_range(b, op, fused, reals)) return false;
    if (fused == Fused::none) return true;
    const bool sound = edge(reals.low, output, range.low);
    if (sound && (fused == Fused::relu || edge(reals.high, output, range.high))) return true;
    return b.refuse(op, {"its output's scale is too small for the activation"});
}

}  // namespace stator::tinyml
