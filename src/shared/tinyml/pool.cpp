// MAX_POOL_2D and AVERAGE_POOL_2D: the largest or the mean of what a window sees of each channel.
#include "shared/tinyml/kernels.h"
#include "shared/tinyml/window.h"

#include <limits>

namespace stator::tinyml {

namespace {

constexpr std::uint64_t points_max = 1U << 16;  // whose sum fits 32 bits

struct Pool {
    Window window;
    Place input;
    Place output;
    std::uint32_t largest = 0;  // else the mean
};

struct Pool8 {
    Pool pool;
    Range8 range;
};

struct PoolReal {
    Pool pool;
    RangeReal range{};
};

bool prepare_common(Builder& b, const Operator& op, Pool& r) {
    const Table& o = op.options;
    namespace pool = field::pool;
    r.largest = op.op == Op::max_pool_2d ? 1 : 0;
    r.input = b.place_in(op, 0);
    r.output = b.place_out(op);
    r.window.stride_x = o.scalar<std::int32_t>(pool::stride_w, 0);
    r.window.stride_y = o.scalar<std::int32_t>(pool::stride_h, 0);
    r.window.width = o.scalar<std::int32_t>(pool::width, 0);
    r.window.height = o.scalar<std::int32_t>(pool::height, 0);
    const auto padding = static_cast<Padding>(o.scalar<std::int8_t>(pool::padding, 0));
    if (!fit_window(b, op, padding, r.window)) return false;
    if (r.window.in_depth != r.window.out_depth) return b.refuse(op, {"it changes the depth"});
    const auto points =
        static_cast<std::uint64_t>(r.window.height) * static_cast<std::uint64_t>(r.window.width);
    if (points > points_max) return b.refuse(op, {"its window has more than 65536 points"});
    return b.work(b.out(op).count * points);
}

}  // namespace

bool prepare_pool(Builder& b, const Operator& op) {
    if (!has_inputs(b, op, 1, 1)) return false;
    const Tensor& input = b.in(op, 0);
    const Tensor& output = b.out(op);
    const auto fused =
        static_cast<Fused>(op.options.scalar<std::int8_t>(field::pool::activation, 0));
    if (input.kind != Kind::int8) {
        if (!is_all(b, op, Kind::float32, 1)) return false;
        auto& record = b.record<PoolReal>(Kernel::pool_float);
        return prepare_common(b, op, record.pool) && fused_range(b, op, fused, record.range);
    }
    if (!is_all(b, op, Kind::int8, 1)) return false;
    if (input.zero_point != output.zero_point || input.scale != output.scale) {
        return b.refuse(op, {"its input and output have different scales"});
    }
    auto& record = b.record<Pool8>(Kernel::pool_int8);
    return prepare_common(b, op, record.pool) && fused_range(b, op, fused, output, record.range);
}

void run_pool_int8(const Memory& memory, const std::byte* at) {
    const auto [op, range] = numbers_of<Pool8>(at);
    const Window& w = op.window;
    const std::int8_t* input = memory.in8(op.input);
    std::int8_t* output = memory.out8(op.output);
    over_image(w, [&](std::int32_t batch, std::int32_t y, std::int32_t x) {
        for (std::int32_t c = 0; c < w.out_depth; ++c) {
            std::int32_t sum = 0;
            std::int32_t top = -128;
            std::int32_t count = 0;
            over_filter(w, y, x, [&](auto, auto, auto in_y, auto in_x) {
                const std::int32_t value =
                    input[w.in_at(batch, in_y, in_x) + static_cast<std::uint32_t>(c)];
                sum += value;
                top = std::max(top, value);
                ++count;
            });
            // to the nearest, halves away from zero; a window always sees a point
            const std::int32_t half = sum > 0 ? count / 2 : -(count / 2);
            const std::int32_t value =
                op.largest != 0 ? top : (sum + half) / std::max<std::int32_t>(count, 1);
            output[w.out_at(batch, y, x) + static_cast<std::uint32_t>(c)] =
                clamped(value, range.low, range.high);
        }
    });
}

void run_pool_float(const Memory& memory, const std::byte* at) {
    const auto [op, range] = numbers_of<PoolReal>(at);
    const Window& w = op.window;
    over_image(w, [&](std::int32_t batch, std::int32_t y, std::int32_t x) {
        for (std::int32_t c = 0; c < w.out_depth; ++c) {
            const auto channel = static_cast<std::uint32_t>(c);
            float sum = 0;
            float top = std::numeric_limits<float>::lowest();
            std::int32_t count = 0;
            over_filter(w, y, x, [&](auto, auto, auto in_y, auto in_x) {
                const float value = memory.real(op.input, w.in_at(batch, in_y, in_x) + channel);
                sum += value;
                top = std::max(top, value);
                ++count;
            });
            float value =
                op.largest != 0 ? top : sum / static_cast<float>(std::max<std::int32_t>(count, 1));
            value = std::min(std::max(value, range.low), range.high);
            memory.put(op.output, w.out_at(batch, y, x) + channel, value);
        }
    });
}

}  // namespace stator::tinyml
