#include "shared/tinyml/window.h"

namespace stator::tinyml {

namespace {

struct Side {
    std::int64_t in;
    std::int64_t out;
    std::int64_t filter;
    std::int64_t stride;
    std::int64_t dilation;
};

bool within_limits(const Side& s) {
    const auto ok = [](std::int64_t n) { return n >= 1 && n <= window_max; };
    return ok(s.filter) && ok(s.stride) && ok(s.dilation);
}

// Padding before the image, or -1 when the output is not what the window gives.
std::int32_t padding_of(const Side& s, Padding padding) {
    const std::int64_t reach = (s.filter - 1) * s.dilation + 1;
    const std::int64_t room = padding == Padding::same ? s.in : s.in - reach + 1;
    if (room < 1 || (room + s.stride - 1) / s.stride != s.out) return -1;
    const std::int64_t total = (s.out - 1) * s.stride + reach - s.in;
    return total > 0 ? static_cast<std::int32_t>(total / 2) : 0;
}

}  // namespace

bool fit_window(Builder& b, const Operator& op, Padding padding, Window& w) {
    const Tensor& input = b.in(op, 0);
    const Tensor& output = b.out(op);
    if (input.rank != 4 || output.rank != 4 || input.dims[0] != output.dims[0]) {
        return b.refuse(op, {"its input and output are not images in a batch"});
    }
    w.batches = input.dims[0];
    w.in_height = input.dims[1];
    w.in_width = input.dims[2];
    w.in_depth = input.dims[3];
    w.out_height = output.dims[1];
    w.out_width = output.dims[2];
    w.out_depth = output.dims[3];
    const Side y{w.in_height, w.out_height, w.height, w.stride_y, w.dilation_y};
    const Side x{w.in_width, w.out_width, w.width, w.stride_x, w.dilation_x};
    if (padding != Padding::same && padding != Padding::valid) {
        return b.refuse(op, {"padding ", static_cast<int>(padding), " not supported"});
    }
    if (!within_limits(y) || !within_limits(x)) {
        return b.refuse(op, {"a filter side, stride or dilation is not in 1..", window_max});
    }
    w.pad_y = padding_of(y, padding);
    w.pad_x = padding_of(x, padding);
    if (w.pad_y < 0 || w.pad_x < 0) {
        return b.refuse(op, {"its output's size is not what its filter gives"});
    }
    return true;
}

}  // namespace stator::tinyml
