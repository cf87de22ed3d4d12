// An Image is a device's program as it travels and as it lies in a slot: a signed header, the code.
//
//   | magic "STFW" u32 | format u32 | release u32 | image bytes u32 | board 16 | version 32 |
//   | sha256 of the image 32 | signature r||s 64, over the 96 bytes before | 0xFF to 256 | image |
//
// The signature is of the key that signs models: no manifest begins with the magic, so neither
// passes for the other. Who receives one checks the header first (check), then the image (whole).
// Format: docs/formats/firmware.md.
#pragma once

#include "shared/bundle/manifest.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace stator::firmware {

inline constexpr std::size_t header_bytes = 256;
inline constexpr std::size_t signed_bytes = 96;

using Board = base::FixedString<16>;    // "mps2-an386": what it was linked for
using Version = base::FixedString<32>;  // for people
using Digest = std::array<std::uint8_t, 32>;
using Sha256 = void (*)(std::span<const std::byte> bytes, std::span<std::uint8_t, 32> digest);

struct Header {
    std::uint32_t release = 0;
    std::uint32_t image_bytes = 0;
    Board board;
    Version version;
    Digest sha256{};
    std::array<std::uint8_t, 64> signature{};
};

// Fault::bad_input for what is no header; the signature is not looked at.
[[nodiscard]] base::Result<Header> parse(std::span<const std::byte> bytes);

// Into `into`, at least header_bytes. The first signed_bytes are what the signature goes over.
void compose(const Header& header, std::span<std::byte> into);

struct Receiver {
    std::string_view board;
    std::uint32_t release = 0;  // must be exceeded
    std::size_t image_bytes_max = 0;
    std::size_t file_bytes = 0;  // as the server says
};

// All that can be said before the image is there: signature, board, sizes, release.
[[nodiscard]] base::Result<Header> check(
    std::span<const std::byte> bytes,
    const Receiver& receiver,
    bundle::Verifier& verifier,
    bundle::Refusal& refusal
);

}  // namespace stator::firmware
