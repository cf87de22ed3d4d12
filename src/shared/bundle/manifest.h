// A Manifest is what must be known of a model before it may run.
//
// It lies beside the .tflite as text: one line of 128 hex digits (ECDSA P-256 over SHA-256, r||s)
// and a newline, then JSON, over exactly whose bytes the signature goes. parse() reads the JSON
// without a heap. check() is what every receiver does, in this order, before it swaps: signature,
// name, class and level, release (must rise), hash and size, structure and arena, golden sequences
// through the fold.
#pragma once

#include "shared/asset/asset.h"
#include "shared/base/fixed.h"
#include "shared/base/result.h"
#include "shared/detect/fold.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace stator::bundle {

inline constexpr std::size_t envelope_bytes_max = 32U << 10U;
inline constexpr std::size_t golden_steps_max = 48;

using ModelName = base::FixedString<64>;

struct Golden {  // a sequence from an empty state; verdict values must be equal bit for bit
    std::size_t steps = 0;
    std::array<std::array<float, asset::features_max>, golden_steps_max> features{};
    std::array<float, golden_steps_max> values{};
};

struct Manifest {
    ModelName name;  // "2026-11-23-03:00:00-model.tflite"
    asset::Name device_class;
    std::uint32_t level = 1;    // 1 device, 2 edge
    std::uint32_t release = 0;  // per class and level; set when the registry signs
    std::array<std::uint8_t, 32> tflite_sha256{};
    std::size_t tflite_bytes = 0;
    std::size_t arena_bytes = 0;
    std::uint32_t feature_set = 0;
    bool keep_state = false;  // the fold's state survives the swap
    detect::Parameters fold;
    Golden golden;
};

struct Envelope {
    std::array<std::uint8_t, 64> signature{};
    std::string_view json;  // the signed bytes
};

// The door to the crypto of the platform (mbedTLS, OpenSSL): no heap needed by callers.
class Verifier {
  public:
    [[nodiscard]] virtual bool verify(
        std::string_view bytes, std::span<const std::uint8_t, 64> signature
    ) = 0;
    virtual void sha256(std::span<const std::byte> bytes, std::span<std::uint8_t, 32> digest) = 0;

  protected:
    ~Verifier() = default;
};

[[nodiscard]] base::Result<Envelope> open_envelope(std::string_view text);
[[nodiscard]] base::Result<Manifest> parse(std::string_view json);

using Refusal = base::FixedString<160>;  // for people: "signature does not verify"

struct Receiver {  // who is asking
    asset::Name device_class;
    std::uint32_t level = 1;
    std::uint32_t release = 0;  // of the model that runs, 0 for none
    std::uint32_t feature_set = 0;
    std::size_t arena_bytes_max = 0;
    ModelName name{};  // that was asked for; empty: whichever it is
};

// What the file needs, when it runs in tinyml with the ends of its manifest and in the arena.
[[nodiscard]] base::Result<tinyml::Needs> check_needs(
    const Manifest& manifest, std::span<const std::byte> tflite, Refusal& refusal
);

// Everything but the golden run of it; then golden() with a loaded model.
[[nodiscard]] base::Result<Manifest> check(
    std::string_view envelope_text,
    std::span<const std::byte> tflite,
    const Receiver& receiver,
    Verifier& verifier,
    Refusal& refusal
);
[[nodiscard]] base::Result<void> run_golden(
    const Manifest& manifest, tinyml::Model& model, Refusal& refusal
);

}  // namespace stator::bundle
