#include "sense/port/cortex_m/signature.h"

#include "sense/port/cortex_m/digest.h"

#include <mbedtls/ecdsa.h>

#include <array>

namespace stator::cortex_m {

Signature::Signature() {
    mbedtls_pk_init(&key_);
}

bool Signature::start(std::string_view public_pem) {
    const auto* pem = reinterpret_cast<const unsigned char*>(public_pem.data());
    return mbedtls_pk_parse_public_key(&key_, pem, public_pem.size() + 1) == 0 &&
           mbedtls_pk_get_type(&key_) == MBEDTLS_PK_ECKEY &&
           mbedtls_pk_ec(key_)->grp.id == MBEDTLS_ECP_DP_SECP256R1;
}

bool Signature::verify(std::string_view bytes, std::span<const std::uint8_t, 64> signature) {
    if (mbedtls_pk_get_type(&key_) != MBEDTLS_PK_ECKEY) return false;
    std::array<std::uint8_t, 32> digest{};
    sha256(std::as_bytes(std::span{bytes}), digest);
    mbedtls_mpi r;
    mbedtls_mpi s;
    mbedtls_mpi_init(&r);
    mbedtls_mpi_init(&s);
    mbedtls_ecp_keypair& key = *mbedtls_pk_ec(key_);
    const bool fine =
        mbedtls_mpi_read_binary(&r, signature.data(), 32) == 0 &&
        mbedtls_mpi_read_binary(&s, signature.data() + 32, 32) == 0 &&
        mbedtls_ecdsa_verify(&key.grp, digest.data(), digest.size(), &key.Q, &r, &s) == 0;
    mbedtls_mpi_free(&r);
    mbedtls_mpi_free(&s);
    return fine;
}

void Signature::sha256(std::span<const std::byte> bytes, std::span<std::uint8_t, 32> digest) {
    cortex_m::sha256(bytes, digest);
}

}  // namespace stator::cortex_m
