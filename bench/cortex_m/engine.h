// An Engine runs int8 .tflite files on a bare Cortex-M: what bench/cortex_m.py counts.
//
// An image is main.cpp with one engine.cpp: tinyml's (tinyml_engine.cpp), none (no_engine.cpp: what
// the rest of the image takes), or a peer's, which is built elsewhere and given as an ELF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace stator::bench {

// All that is done once: afterwards the model runs. False where the file cannot run.
[[nodiscard]] bool set_up(std::span<const std::byte> tflite);

// The bytes of its arena that the engine really uses.
[[nodiscard]] std::size_t arena_bytes();

void run(std::span<const std::int8_t> input, std::span<std::int8_t> output);

}  // namespace stator::bench
