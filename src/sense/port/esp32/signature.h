// Signature is the site's word on a model or a firmware: ECDSA P-256 over SHA-256, with mbedTLS.
#pragma once

#include "shared/bundle/manifest.h"

#include <mbedtls/pk.h>

namespace stator::esp32 {

class Signature final : public bundle::Verifier {
  public:
    Signature();
    Signature(const Signature&) = delete;
    Signature& operator=(const Signature&) = delete;

    // The public key, as PEM with a zero byte behind it; false when it is none.
    [[nodiscard]] bool start(std::string_view public_pem);

    [[nodiscard]] bool verify(std::string_view bytes, std::span<const std::uint8_t, 64> signature)
        override;
    void sha256(std::span<const std::byte> bytes, std::span<std::uint8_t, 32> digest) override;

  private:
    mbedtls_pk_context key_;
    bool ready_ = false;
};

}  // namespace stator::esp32
