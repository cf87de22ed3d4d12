// Of mbedTLS 3.
#pragma once

#include <stddef.h>

extern "C" int mbedtls_sha256(
    const unsigned char* input, size_t ilen, unsigned char* output, int is224
);
