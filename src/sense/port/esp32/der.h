// der_signature() turns r||s, as our envelopes have it, into the DER that mbedTLS takes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace stator::esp32 {

struct DerSignature {
    std::array<std::uint8_t, 72> bytes{};
    std::size_t size = 0;
};

[[nodiscard]] DerSignature der_signature(std::span<const std::uint8_t, 64> raw);

}  // namespace stator::esp32
