// A Batch runs a loaded Model over many rows at once, with the bits of Model::invoke_raw().
//
// Where the machine has a kernel for tiles (tile.h) and the model is of FULLY_CONNECTED and curves
// of int8, rows go through sixteen at a time; elsewhere one after the other. No allocation: the
// caller owns the room, which holds the packed weights and the tile's planes:
//
//   room: [ planes: the arena's activations, 16 bytes for each of theirs ][ widened input ]
//         [ packed layer | table of a curve | ... ]  in the records' order
#pragma once

#include "shared/tinyml/model.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace stator::tinyml {

struct TileKernel;
struct Tile;

class Batch {
  public:
    // What the constructor asks for; 0 where rows run one after the other.
    [[nodiscard]] static std::size_t room_bytes(const Model& model);

    // The model, its file and arena, and the room (of room_bytes(), aligned to 4: asserted) must
    // outlive the Batch. Both ends of the model must be int8: asserted.
    Batch(Model& model, std::span<std::byte> room);

    // Whole rows: needs().input_count, needs().output_count steps each, asserted.
    void invoke_raw(std::span<const std::int8_t> inputs, std::span<std::int8_t> outputs);

  private:
    struct Sizes;

    [[nodiscard]] static Sizes sizes_of(const Model& model, const TileKernel& kernel);
    [[nodiscard]] std::int8_t* plane(std::uint32_t arena_at) const;
    void prepare();
    void run_tile();
    void run_row(std::span<const std::int8_t> input, std::span<std::int8_t> output);
    std::byte* run_layer(const std::byte* record, std::byte* prepared);

    Model& model_;
    const TileKernel* kernel_ = nullptr;  // none: row by row
    std::byte* planes_ = nullptr;
    std::byte* wide_ = nullptr;
    std::byte* prepared_ = nullptr;
    std::uint32_t base_ = 0;  // where the arena's activations begin
};

}  // namespace stator::tinyml
