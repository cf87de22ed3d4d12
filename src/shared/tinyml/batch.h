// A Batch runs a loaded Model over many rows at once, with the bits of Model::invoke().
//
// Where the machine has a kernel for tiles (tile.h) and the model is of FULLY_CONNECTED and of what
// goes number by number in int8 (curves, SQUARE), with ends of int8 or float32, rows go through
// sixteen at a time, and a row that comes alone by a kernel of its own (row.h); elsewhere one after
// the other. No allocation: the
// caller owns the room, which holds the packed weights and the tile's planes:
//
//   room: [ planes: the arena's activations, 16 bytes for each of theirs ][ widened input ]
//         [ an arena for a row that comes alone ]
//         [ packed layer | table of a curve | ... ]  in the records' order
//         [ layer packed for a row | ... ][ its widened input ][ what it goes through, resolved ]
#pragma once

#include "shared/tinyml/model.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace stator::tinyml {

struct RowKernel;
struct TileKernel;

class Batch {
  public:
    // What the constructor asks for; 0 where rows run one after the other.
    [[nodiscard]] static std::size_t room_bytes(const Model& model);

    // The model, its file and arena, and the room (of room_bytes(), aligned to 4: asserted) must
    // outlive the Batch.
    Batch(Model& model, std::span<std::byte> room);

    // Whole rows: needs().input_count, needs().output_count numbers each, asserted. Real values
    // whatever the file's types; steps only where both ends are int8: asserted.
    void invoke(std::span<const float> inputs, std::span<float> outputs);
    void invoke_raw(std::span<const std::int8_t> inputs, std::span<std::int8_t> outputs);

  private:
    struct Sizes;
    struct LoneStep;

    [[nodiscard]] static Sizes sizes_of(const Model& model, const TileKernel& kernel);
    [[nodiscard]] std::byte* plane(std::uint32_t arena_at) const;
    template <typename Number>
    void run_all(std::span<const Number> inputs, std::span<Number> outputs);
    void run_alone(const std::int8_t* in, std::int8_t* out);
    void prepare();
    void prepare_lone();
    void join(LoneStep& before, LoneStep& after) const;
    void run_tile();
    void run_row();
    std::byte* run_layer(const std::byte* record, std::byte* prepared);

    Model& model_;
    const TileKernel* kernel_ = nullptr;  // none: row by row
    const RowKernel* lone_kernel_ = nullptr;
    std::byte* planes_ = nullptr;
    std::byte* wide_ = nullptr;
    std::byte* lone_ = nullptr;
    std::byte* prepared_ = nullptr;
    std::byte* lone_layers_ = nullptr;
    std::byte* lone_wide_ = nullptr;  // twice
    std::size_t lone_wide_bytes_ = 0;
    LoneStep* lone_steps_ = nullptr;  // records_ of them
    std::uint32_t base_ = 0;          // where the arena's activations begin
};

}  // namespace stator::tinyml
