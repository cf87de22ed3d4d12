// A Window is how a filter of height and width walks over an image: convolution and pooling share
// it.
#pragma once

#include "shared/tinyml/program.h"

namespace stator::tinyml {

inline constexpr std::int32_t window_max = 4096;  // of a filter's side, a stride, a dilation

struct Window {
    std::int32_t batches = 0;
    std::int32_t in_height = 0;
    std::int32_t in_width = 0;
    std::int32_t in_depth = 0;
    std::int32_t out_height = 0;
    std::int32_t out_width = 0;
    std::int32_t out_depth = 0;
    std::int32_t height = 0;  // of the filter
    std::int32_t width = 0;
    std::int32_t stride_y = 1;
    std::int32_t stride_x = 1;
    std::int32_t dilation_y = 1;
    std::int32_t dilation_x = 1;
    std::int32_t pad_y = 0;
    std::int32_t pad_x = 0;

    [[nodiscard]] std::uint32_t in_at(std::int32_t b, std::int32_t y, std::int32_t x) const {
        return static_cast<std::uint32_t>(((b * in_height + y) * in_width + x) * in_depth);
    }

    [[nodiscard]] std::uint32_t out_at(std::int32_t b, std::int32_t y, std::int32_t x) const {
        return static_cast<std::uint32_t>(((b * out_height + y) * out_width + x) * out_depth);
    }
};

// Fills depths, image sizes and paddings from the tensors; height, width, strides and dilations
// stand in `window` already. Refuses an output whose shape is not what the window gives.
[[nodiscard]] bool fit_window(Builder&, const Operator&, Padding, Window& window);

// Calls visit(batch, out_y, out_x) for every point of the output.
template <typename Visit>
void over_image(const Window& w, Visit visit) {
    for (std::int32_t b = 0; b < w.batches; ++b) {
        for (std::int32_t y = 0; y < w.out_height; ++y) {
            for (std::int32_t x = 0; x < w.out_width; ++x)
                visit(b, y, x);
        }
    }
}

// Calls visit(filter_y, filter_x, in_y, in_x) for every point of the filter inside the image.
template <typename Visit>
void over_filter(const Window& w, std::int32_t out_y, std::int32_t out_x, Visit visit) {
    for (std::int32_t fy = 0; fy < w.height; ++fy) {
        const std::int32_t y = out_y * w.stride_y - w.pad_y + fy * w.dilation_y;
        if (y < 0 || y >= w.in_height) continue;
        for (std::int32_t fx = 0; fx < w.width; ++fx) {
            const std::int32_t x = out_x * w.stride_x - w.pad_x + fx * w.dilation_x;
            if (x < 0 || x >= w.in_width) continue;
            visit(fy, fx, y, x);
        }
    }
}

}  // namespace stator::tinyml
