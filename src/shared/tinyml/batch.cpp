#include "shared/tinyml/batch.h"

#include "shared/tinyml/kernels.h"
#include "shared/tinyml/tile.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace stator::tinyml {

namespace {

constexpr std::size_t table_bytes = 256;
constexpr std::uint32_t arena_slack = 3;  // of needs().arena_bytes, for any address

bool in_arena(Place place) {
    return (place.at & Place::in_file) == 0;
}

Tile tile_of(const Layer& layer, const TileKernel& kernel) {
    return {
        .scale = layer.dense.scale,
        .words = kernel.words(layer.dense.depth),
        .units = layer.dense.units,
        .y_zero = layer.dense.y_zero,
        .low = layer.dense.low,
        .high = layer.dense.high,
    };
}

}  // namespace

struct Batch::Sizes {
    bool possible = true;
    std::uint32_t base = 0;
    std::size_t planes = 0;
    std::size_t wide = 0;
    std::size_t prepared = 0;
};

Batch::Sizes Batch::sizes_of(const Model& model, const TileKernel& kernel) {
    Sizes sizes;
    const Memory memory{model.file_, model.arena_};
    for (std::uint32_t i = 0; i < model.records_; ++i) {
        const std::byte* at = model.arena_ + sizes.base;
        const auto record = load<Record>(at);
        at += sizeof(Record);
        if (record.kernel == static_cast<std::uint32_t>(Kernel::fully_connected_int8)) {
            const Layer layer = layer_of(memory, at);
            const Dense& dense = layer.dense;
            sizes.wide = std::max(sizes.wide, kernel.wide_bytes(dense.depth));
            sizes.prepared += kernel.packed_bytes(dense.depth, dense.units);
            sizes.possible = sizes.possible && in_arena(layer.input);
        } else if (record.kernel == static_cast<std::uint32_t>(Kernel::activation_int8)) {
            sizes.prepared += table_bytes;
            sizes.possible = sizes.possible && in_arena(curve_of(at).input);
        } else {
            sizes.possible = false;
        }
        sizes.base = record.next();
    }
    sizes.planes = (model.needs_.arena_bytes - arena_slack - sizes.base) * tile_rows;
    return sizes;
}

std::size_t Batch::room_bytes(const Model& model) {
    const TileKernel* kernel = tile_kernel();
    if (kernel == nullptr) return 0;
    const Sizes sizes = sizes_of(model, *kernel);
    return sizes.possible ? sizes.planes + sizes.wide + sizes.prepared : 0;
}

Batch::Batch(Model& model, std::span<std::byte> room) : model_{model} {
    assert(model.needs_.input_type == Type::int8 && model.needs_.output_type == Type::int8);
    const std::size_t bytes = room_bytes(model);
    assert(room.size() >= bytes && reinterpret_cast<std::uintptr_t>(room.data()) % 4 == 0);
    if (bytes == 0) return;
    kernel_ = tile_kernel();
    const Sizes sizes = sizes_of(model, *kernel_);
    base_ = sizes.base;
    planes_ = room.data();
    wide_ = planes_ + sizes.planes;
    prepared_ = wide_ + sizes.wide;
    std::memset(planes_, 0, sizes.planes);  // a last tile's missing rows are computed, too
    prepare();
}

void Batch::prepare() {
    const Memory memory{model_.file_, model_.arena_};
    std::uint32_t at = 0;
    std::byte* to = prepared_;
    for (std::uint32_t i = 0; i < model_.records_; ++i) {
        const auto record = load<Record>(model_.arena_ + at);
        const std::byte* numbers = model_.arena_ + at + sizeof(Record);
        if (record.kernel == static_cast<std::uint32_t>(Kernel::fully_connected_int8)) {
            const Layer layer = layer_of(memory, numbers);
            pack(*kernel_, layer.dense, to);
            to += kernel_->packed_bytes(layer.dense.depth, layer.dense.units);
        } else {
            fill_table(
                numbers, model_.rounding_, std::span<std::byte, table_bytes>{to, table_bytes}
            );
            to += table_bytes;
        }
        at = record.next();
    }
}

std::int8_t* Batch::plane(std::uint32_t arena_at) const {
    return reinterpret_cast<std::int8_t*>(planes_ + std::size_t{arena_at - base_} * tile_rows);
}

std::byte* Batch::run_layer(const std::byte* record, std::byte* prepared) {
    const Layer layer = layer_of({model_.file_, model_.arena_}, record);
    Tile tile = tile_of(layer, *kernel_);
    tile.wide = wide_;
    tile.packed = prepared;
    const std::int8_t* x = plane(layer.input.at);
    tile.y = plane(layer.output.at);
    for (std::uint32_t i = 0; i < layer.batches; ++i) {
        kernel_->widen(x, layer.dense.depth, wide_);
        kernel_->run(tile, model_.rounding_);
        x += std::size_t{tile_rows} * layer.dense.depth;
        tile.y += std::size_t{tile_rows} * layer.dense.units;
    }
    return prepared + kernel_->packed_bytes(layer.dense.depth, layer.dense.units);
}

void Batch::run_tile() {
    std::uint32_t at = 0;
    std::byte* prepared = prepared_;
    for (std::uint32_t i = 0; i < model_.records_; ++i) {
        const auto record = load<Record>(model_.arena_ + at);
        const std::byte* numbers = model_.arena_ + at + sizeof(Record);
        if (record.kernel == static_cast<std::uint32_t>(Kernel::fully_connected_int8)) {
            prepared = run_layer(numbers, prepared);
        } else {
            const Curve8 curve = curve_of(numbers);
            const std::int8_t* x = plane(curve.input.at);
            std::int8_t* y = plane(curve.output.at);
            for (std::size_t k = 0; k < std::size_t{curve.count} * tile_rows; ++k)
                y[k] = static_cast<std::int8_t>(prepared[static_cast<std::uint8_t>(x[k])]);
            prepared += table_bytes;
        }
        at = record.next();
    }
}

// A row alone goes through the model's own kernels, but for the curves, whose tables are here.
void Batch::run_row(std::span<const std::int8_t> input, std::span<std::int8_t> output) {
    const Memory memory{model_.file_, model_.arena_};
    std::memcpy(memory.out({model_.input_.place}), input.data(), input.size());
    std::uint32_t at = 0;
    const std::byte* prepared = prepared_;
    for (std::uint32_t i = 0; i < model_.records_; ++i) {
        const auto record = load<Record>(model_.arena_ + at);
        const std::byte* numbers = model_.arena_ + at + sizeof(Record);
        const auto kernel = static_cast<Kernel>(record.kernel);
        if (kernel == Kernel::fully_connected_int8) {
            run_of(kernel, model_.rounding_)(memory, numbers);
            const Dense dense = layer_of(memory, numbers).dense;
            prepared += kernel_->packed_bytes(dense.depth, dense.units);
        } else {
            const Curve8 curve = curve_of(numbers);
            const std::int8_t* x = memory.in8(curve.input);
            std::int8_t* y = memory.out8(curve.output);
            for (std::uint32_t k = 0; k < curve.count; ++k)
                y[k] = static_cast<std::int8_t>(prepared[static_cast<std::uint8_t>(x[k])]);
            prepared += table_bytes;
        }
        at = record.next();
    }
    std::memcpy(output.data(), memory.in({model_.output_.place}), output.size());
}

void Batch::invoke_raw(std::span<const std::int8_t> inputs, std::span<std::int8_t> outputs) {
    const std::size_t width = model_.needs_.input_count;
    const std::size_t height = model_.needs_.output_count;
    std::size_t left = inputs.size() / width;
    assert(inputs.size() == left * width && outputs.size() == left * height);
    const std::int8_t* in = inputs.data();
    std::int8_t* out = outputs.data();
    while (left > 0) {
        if (kernel_ == nullptr || left == 1) {
            kernel_ == nullptr ? model_.invoke_raw({in, width}, {out, height})
                               : run_row({in, width}, {out, height});
            --left, in += width, out += height;
            continue;
        }
        const std::size_t rows = std::min<std::size_t>(left, tile_rows);
        std::int8_t* x = plane(model_.input_.place);
        for (std::size_t i = 0; i < width; ++i, x += tile_rows) {
            for (std::size_t row = 0; row < rows; ++row)
                x[row] = in[row * width + i];
        }
        run_tile();
        const std::int8_t* y = plane(model_.output_.place);
        for (std::size_t i = 0; i < height; ++i, y += tile_rows) {
            for (std::size_t row = 0; row < rows; ++row)
                out[row * height + i] = y[row];
        }
        left -= rows, in += rows * width, out += rows * height;
    }
}

}  // namespace stator::tinyml
