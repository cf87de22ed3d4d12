// The digest of images and models: SHA-256 with mbedTLS, for the boot stage and the program.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace stator::cortex_m {

void sha256(std::span<const std::byte> bytes, std::span<std::uint8_t, 32> digest);

}  // namespace stator::cortex_m
