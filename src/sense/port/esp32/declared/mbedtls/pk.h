// Of mbedTLS 3: a public key, and what it says of a signature.
#pragma once

#include <stddef.h>

enum mbedtls_md_type_t { MBEDTLS_MD_NONE = 0, MBEDTLS_MD_SHA256 = 0x09 };

enum mbedtls_pk_type_t { MBEDTLS_PK_NONE = 0, MBEDTLS_PK_ECDSA = 4 };

struct mbedtls_pk_context {
    const void* info;
    void* context;
};

extern "C" {
void mbedtls_pk_init(mbedtls_pk_context* ctx);
int mbedtls_pk_parse_public_key(mbedtls_pk_context* ctx, const unsigned char* key, size_t keylen);
int mbedtls_pk_can_do(const mbedtls_pk_context* ctx, mbedtls_pk_type_t type);
size_t mbedtls_pk_get_bitlen(const mbedtls_pk_context* ctx);
int mbedtls_pk_verify(
    mbedtls_pk_context* ctx,
    mbedtls_md_type_t md_alg,
    const unsigned char* hash,
    size_t hash_len,
    const unsigned char* sig,
    size_t sig_len
);
}
