#include "shared/tinyml/batch.h"

#include "shared/tinyml/kernels.h"
#include "shared/tinyml/row.h"
#include "shared/tinyml/steps.h"
#include "shared/tinyml/tile.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <memory>

namespace stator::tinyml {

namespace {

constexpr std::size_t table_bytes = 256;
constexpr std::uint32_t arena_slack = 3;  // of needs().arena_bytes, for any address

bool in_arena(Place place) {
    return (place.at & Place::in_file) == 0;
}

// For `lanes` rows, whose numbers lie side by side.
void look_up(
    const Along& along, const std::byte* x, const std::byte* table, std::byte* y, std::size_t lanes
) {
    for (std::size_t k = 0; k < along.count * lanes; ++k)
        y[k] = table[std::to_integer<std::uint8_t>(x[k])];
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

// A number of a row's end on its way to and from where the file has it, as step_of() and real_of().
struct Converted {
    Type type;
    float scale;
    std::int32_t zero;

    void put(float number, std::byte* to) const {
        if (type == Type::int8)
            *to = static_cast<std::byte>(step_of(number, scale, zero));
        else
            std::memcpy(to, &number, sizeof number);
    }

    void put(std::int8_t number, std::byte* to) const { *to = static_cast<std::byte>(number); }

    void take(float& number, const std::byte* from) const {
        if (type == Type::int8)
            number = real_of(static_cast<std::int8_t>(*from), scale, zero);
        else
            std::memcpy(&number, from, sizeof number);
    }

    void take(std::int8_t& number, const std::byte* from) const {
        number = static_cast<std::int8_t>(*from);
    }

    [[nodiscard]] std::size_t bytes() const { return type == Type::int8 ? 1 : 4; }
};

}  // namespace

// A record as a row that comes alone goes through it.
struct Batch::LoneStep {
    Run run = nullptr;  // a kernel whose record `from` is; none for a layer or a table
    const std::byte* from = nullptr;  // the packed layer, or the curve's table
    Dense dense = {};                 // of a layer, with both ends
    Wide wide = {};                   // its input and output, widened
    std::uint32_t rows = 0;           // of the layer; none: a table
    Along along = {};                 // of a table
};

struct Batch::Sizes {
    bool possible = true;
    std::uint32_t base = 0;
    std::size_t planes = 0;
    std::size_t wide = 0;
    std::size_t prepared = 0;
    std::size_t lone = 0;  // what a row that comes alone uses: its arena, its layers, its input
    std::size_t lone_layers = 0;
    std::size_t lone_wide = 0;
    std::size_t lone_steps = 0;

    [[nodiscard]] std::size_t bytes() const {
        const std::size_t shared = planes + wide + prepared;
        const std::size_t alone = lone + lone_layers + 2 * lone_wide + lone_steps;
        return possible ? shared + alone + alignment : 0;
    }

    static constexpr std::size_t alignment = 63;  // of the layers to 64
};

Batch::Sizes Batch::sizes_of(const Model& model, const TileKernel& kernel) {
    Sizes sizes;
    const RowKernel* alone = row_kernel();
    const Memory memory{model.file_, model.arena_};
    for (std::uint32_t i = 0; i < model.records_; ++i) {
        const std::byte* at = model.arena_ + sizes.base;
        const auto record = load<Record>(at);
        const auto runs = static_cast<Kernel>(record.kernel);
        at += sizeof(Record);
        Place input;  // none: not a kernel of a tile
        if (runs == Kernel::fully_connected_int8) {
            const Layer layer = layer_of(memory, at);
            const Dense& dense = layer.dense;
            sizes.wide = std::max(sizes.wide, kernel.wide_bytes(dense.depth));
            sizes.prepared += kernel.packed_bytes(dense.depth, dense.units);
            if (alone != nullptr) {
                sizes.lone_layers += alone->packed_bytes(dense.depth, dense.units);
                for (const std::uint32_t ends : {dense.depth, dense.units})
                    sizes.lone_wide = std::max(sizes.lone_wide, alone->wide_bytes(ends));
            }
            input = layer.input;
        } else if (runs == Kernel::quantise || runs == Kernel::dequantise) {
            input = steps_of(at).along.input;
        } else if (const auto along = curve_of(runs, at)) {
            sizes.prepared += table_bytes;
            input = along->input;
        }
        sizes.possible = sizes.possible && in_arena(input);
        sizes.base = record.next();
    }
    sizes.planes = (model.needs_.arena_bytes - arena_slack - sizes.base) * tile_rows;
    sizes.lone = model.needs_.arena_bytes + RowKernel::read_beyond;
    sizes.lone_steps = sizeof(LoneStep) * model.records_;
    return sizes;
}

std::size_t Batch::room_bytes(const Model& model) {
    const TileKernel* kernel = tile_kernel();
    if (kernel == nullptr) return 0;
    return sizes_of(model, *kernel).bytes();
}

Batch::Batch(Model& model, std::span<std::byte> room) : model_{model} {
    const std::size_t bytes = room_bytes(model);
    assert(room.size() >= bytes && reinterpret_cast<std::uintptr_t>(room.data()) % 4 == 0);
    if (bytes == 0) return;
    kernel_ = tile_kernel();
    lone_kernel_ = row_kernel();
    const Sizes sizes = sizes_of(model, *kernel_);
    base_ = sizes.base;
    planes_ = room.data();
    wide_ = planes_ + sizes.planes;
    lone_ = wide_ + sizes.wide;
    prepared_ = lone_ + sizes.lone;
    auto* layers = prepared_ + sizes.prepared;
    layers += -reinterpret_cast<std::uintptr_t>(layers) & Sizes::alignment;
    lone_layers_ = layers;  // whole vectors each, and so is their input
    lone_wide_ = layers + sizes.lone_layers;
    lone_wide_bytes_ = sizes.lone_wide;
    lone_steps_ = reinterpret_cast<LoneStep*>(lone_wide_ + 2 * sizes.lone_wide);
    std::memset(planes_, 0, sizes.planes);  // a last tile's missing rows are computed, too
    std::memset(lone_, 0, sizes.lone);      // what is read beyond an input meets no weight
    prepare();
    prepare_lone();
}

void Batch::prepare() {
    const Memory memory{model_.file_, model_.arena_};
    std::uint32_t at = 0;
    std::byte* to = prepared_;
    for (std::uint32_t i = 0; i < model_.records_; ++i) {
        const auto record = load<Record>(model_.arena_ + at);
        const auto runs = static_cast<Kernel>(record.kernel);
        const std::byte* numbers = model_.arena_ + at + sizeof(Record);
        if (runs == Kernel::fully_connected_int8) {
            const Layer layer = layer_of(memory, numbers);
            pack(*kernel_, layer.dense, to);
            to += kernel_->packed_bytes(layer.dense.depth, layer.dense.units);
        } else if (curve_of(runs, numbers)) {
            fill_table(
                runs, numbers, model_.rounding_, std::span<std::byte, table_bytes>{to, table_bytes}
            );
            to += table_bytes;
        }
        at = record.next();
    }
}

void Batch::prepare_lone() {
    const RowKernel* alone = lone_kernel_;
    const Memory memory{model_.file_, lone_};
    std::uint32_t at = 0;
    const std::byte* prepared = prepared_;
    std::byte* layers = lone_layers_;
    for (std::uint32_t i = 0; i < model_.records_; ++i) {
        const auto record = load<Record>(model_.arena_ + at);
        const std::byte* numbers = model_.arena_ + at + sizeof(Record);
        const auto runs = static_cast<Kernel>(record.kernel);
        at = record.next();
        LoneStep& step = *std::construct_at(lone_steps_ + i);
        step.from = numbers;
        if (runs == Kernel::fully_connected_int8) {
            const Layer layer = layer_of({model_.file_, model_.arena_}, numbers);
            const Dense& dense = layer.dense;
            prepared += kernel_->packed_bytes(dense.depth, dense.units);
            if (alone != nullptr) {
                alone->pack(dense, model_.rounding_, layers);
                step.from = layers;
                step.rows = layer.batches;
                step.dense = dense;
                step.dense.x = memory.in8(layer.input);
                step.dense.y = memory.out8(layer.output);
                step.wide.input = lone_wide_;
                if (i > 0) join(lone_steps_[i - 1], step);
                layers += alone->packed_bytes(dense.depth, dense.units);
                continue;
            }
        } else if (const auto curve = curve_of(runs, numbers)) {
            step.from = prepared;
            step.along = *curve;
            prepared += table_bytes;
            continue;
        }
        step.run = run_of(runs, model_.rounding_);
    }
}

// Where one row goes from layer to layer.
void Batch::join(LoneStep& before, LoneStep& after) const {
    if (before.rows != 1 || after.rows != 1 || before.dense.y != after.dense.x) return;
    if (before.dense.units != after.dense.depth) return;
    const bool first = before.wide.input == lone_wide_;
    before.wide.output = first ? lone_wide_ + lone_wide_bytes_ : lone_wide_;
    after.wide.input = before.wide.output;
    after.wide.is_there = true;
}

std::byte* Batch::plane(std::uint32_t arena_at) const {
    return planes_ + std::size_t{arena_at - base_} * tile_rows;
}

std::byte* Batch::run_layer(const std::byte* record, std::byte* prepared) {
    const Layer layer = layer_of({model_.file_, model_.arena_}, record);
    Tile tile = tile_of(layer, *kernel_);
    tile.wide = wide_;
    tile.packed = prepared;
    const auto* x = reinterpret_cast<const std::int8_t*>(plane(layer.input.at));
    tile.y = reinterpret_cast<std::int8_t*>(plane(layer.output.at));
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
        const auto runs = static_cast<Kernel>(record.kernel);
        const std::byte* numbers = model_.arena_ + at + sizeof(Record);
        at = record.next();
        if (runs == Kernel::fully_connected_int8) {
            prepared = run_layer(numbers, prepared);
            continue;
        }
        if (const auto curve = curve_of(runs, numbers)) {
            look_up(*curve, plane(curve->input.at), prepared, plane(curve->output.at), tile_rows);
            prepared += table_bytes;
            continue;
        }
        const Steps steps = steps_of(numbers);
        const Converted reals{Type::int8, steps.scale, steps.zero};
        const std::byte* x = plane(steps.along.input.at);
        std::byte* y = plane(steps.along.output.at);
        const std::size_t count = std::size_t{steps.along.count} * tile_rows;
        for (std::size_t k = 0; k < count; ++k) {
            float real = 0;
            if (runs == Kernel::quantise) {
                std::memcpy(&real, x + 4 * k, 4);
                reals.put(real, y + k);
            } else {
                reals.take(real, x + k);
                std::memcpy(y + 4 * k, &real, 4);
            }
        }
    }
}

void Batch::run_row() {
    const Memory memory{model_.file_, lone_};
    for (std::uint32_t i = 0; i < model_.records_; ++i) {
        const LoneStep& step = lone_steps_[i];
        if (step.run != nullptr) {
            step.run(memory, step.from);
            continue;
        }
        if (step.rows == 0) {
            const Along& along = step.along;
            look_up(along, memory.in(along.input), step.from, memory.out(along.output), 1);
            continue;
        }
        lone_kernel_->run(step.dense, model_.rounding_, step.from, step.wide);
        if (step.rows == 1) continue;
        Dense dense = step.dense;
        for (std::uint32_t row = 1; row < step.rows; ++row) {
            dense.x += dense.depth;
            dense.y += dense.units;
            lone_kernel_->run(dense, model_.rounding_, step.from, step.wide);
        }
    }
}

// A row of steps that comes alone needs no conversion.
void Batch::run_alone(const std::int8_t* in, std::int8_t* out) {
    std::memcpy(lone_ + model_.input_.place, in, model_.needs_.input_count);
    run_row();
    std::memcpy(out, lone_ + model_.output_.place, model_.needs_.output_count);
}

template <typename Number>
void Batch::run_all(std::span<const Number> inputs, std::span<Number> outputs) {
    const std::size_t width = model_.needs_.input_count;
    const std::size_t height = model_.needs_.output_count;
    const Model::End& enters = model_.input_;
    const Model::End& leaves = model_.output_;
    const Converted from{model_.needs_.input_type, enters.scale, enters.zero};
    const Converted to{model_.needs_.output_type, leaves.scale, leaves.zero};
    std::size_t left = inputs.size() / width;
    assert(inputs.size() == left * width && outputs.size() == left * height);
    const Number* in = inputs.data();
    Number* out = outputs.data();
    while (left > 0) {
        const std::size_t rows = left == 1 ? 1 : std::min<std::size_t>(left, tile_rows);
        const std::size_t lanes = left == 1 ? 1 : tile_rows;
        std::byte* x = left == 1 ? lone_ + enters.place : plane(enters.place);
        for (std::size_t i = 0; i < width; ++i, x += lanes * from.bytes())
            for (std::size_t row = 0; row < rows; ++row)
                from.put(in[row * width + i], x + row * from.bytes());
        left == 1 ? run_row() : run_tile();
        const std::byte* y = left == 1 ? lone_ + leaves.place : plane(leaves.place);
        for (std::size_t i = 0; i < height; ++i, y += lanes * to.bytes())
            for (std::size_t row = 0; row < rows; ++row)
                to.take(out[row * height + i], y + row * to.bytes());
        left -= rows, in += rows * width, out += rows * height;
    }
}

void Batch::invoke(std::span<const float> inputs, std::span<float> outputs) {
    if (kernel_ != nullptr) return run_all(inputs, outputs);
    const std::size_t width = model_.needs_.input_count;
    const std::size_t height = model_.needs_.output_count;
    assert(inputs.size() / width * height == outputs.size());
    for (; !inputs.empty(); inputs = inputs.subspan(width), outputs = outputs.subspan(height))
        model_.invoke(inputs.first(width), outputs.first(height));
}

void Batch::invoke_raw(std::span<const std::int8_t> inputs, std::span<std::int8_t> outputs) {
    assert(model_.needs_.input_type == Type::int8 && model_.needs_.output_type == Type::int8);
    const std::size_t width = model_.needs_.input_count;
    const std::size_t height = model_.needs_.output_count;
    if (kernel_ != nullptr && inputs.size() == width && outputs.size() == height)
        return run_alone(inputs.data(), outputs.data());
    if (kernel_ != nullptr) return run_all(inputs, outputs);
    assert(inputs.size() / width * height == outputs.size());
    for (; !inputs.empty(); inputs = inputs.subspan(width), outputs = outputs.subspan(height))
        model_.invoke_raw(inputs.first(width), outputs.first(height));
}

}  // namespace stator::tinyml
