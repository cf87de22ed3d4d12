// Signature is what a model or a firmware is checked with on Linux: the TLS door's ECDSA, SHA-256.
#pragma once

#include "shared/bundle/manifest.h"
#include "world/tls/tls.h"

#include <string>
#include <utility>

namespace stator::host {

class Signature final : public bundle::Verifier {
  public:
    Signature(tls::Tls& tls, std::string public_pem)
        : tls_{tls}, public_pem_{std::move(public_pem)} {}

    bool verify(std::string_view bytes, std::span<const std::uint8_t, 64> signature) override;
    void sha256(std::span<const std::byte> bytes, std::span<std::uint8_t, 32> digest) override;

  private:
    tls::Tls& tls_;
    std::string public_pem_;
};

}  // namespace stator::host
