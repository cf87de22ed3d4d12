// The factory model is what a device falls back to: written once, and no update can touch it.
//
// It lies behind the factory page, in a part of the flash that the running device only reads:
//
//   | magic u32 "STFM" | envelope bytes u32 | .tflite bytes u32 | 0 u32 |        little endian
//   | manifest's envelope | zeros to a multiple of 16 | .tflite |
//
// Only the lengths are checked here: whether it is whole the manifest says, whose signature is
// checked before it runs. Format: docs/formats/factory-page.md.
#pragma once

#include "sense/hal/hal.h"
#include "shared/base/result.h"

#include <cstddef>
#include <span>

namespace stator::factory {

// The bytes in `into`; Fault::full when they do not fit.
[[nodiscard]] base::Result<std::span<const std::byte>> write_model(
    const hal::FactoryModel& model, std::span<std::byte> into
);

// Empty when there is none. What it says lies in `flash`.
[[nodiscard]] hal::FactoryModel read_model(std::span<const std::byte> flash);

}  // namespace stator::factory
