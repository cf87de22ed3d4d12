#include "sense/port/cortex_m/digest.h"

#include <mbedtls/sha256.h>

#include <cassert>

namespace stator::cortex_m {

void sha256(std::span<const std::byte> bytes, std::span<std::uint8_t, 32> digest) {
    const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
    const int done = mbedtls_sha256_ret(data, bytes.size(), digest.data(), 0);
    assert(done == 0);  // there is no hardware that could fail
    static_cast<void>(done);
}

}  // namespace stator::cortex_m
