#include "sense/port/esp32/signature.h"

#include "sense/port/esp32/der.h"

#include <mbedtls/sha256.h>

#include <array>
#include <cassert>

namespace stator::esp32 {

Signature::Signature() {
    mbedtls_pk_init(&key_);
}

bool Signature::start(std::string_view public_pem) {
    const auto* pem = reinterpret_cast<const unsigned char*>(public_pem.data());
    constexpr std::size_t p256_bits = 256;
    ready_ = mbedtls_pk_parse_public_key(&key_, pem, public_pem.size() + 1) == 0 &&
             mbedtls_pk_can_do(&key_, MBEDTLS_PK_ECDSA) != 0 &&
             mbedtls_pk_get_bitlen(&key_) == p256_bits;
    return ready_;
}

bool Signature::verify(std::string_view bytes, std::span<const std::uint8_t, 64> signature) {
    if (!ready_) return false;
    std::array<std::uint8_t, 32> digest{};
    sha256(std::as_bytes(std::span{bytes}), digest);
    const DerSignature der = der_signature(signature);
    return mbedtls_pk_verify(
               &key_, MBEDTLS_MD_SHA256, digest.data(), digest.size(), der.bytes.data(), der.size
           ) == 0;
}

void Signature::sha256(std::span<const std::byte> bytes, std::span<std::uint8_t, 32> digest) {
    const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
    const int done = mbedtls_sha256(data, bytes.size(), digest.data(), 0);
    assert(done == 0);
    static_cast<void>(done);
}

}  // namespace stator::esp32
