#include "sense/port/host/signature.h"

#include <cstring>

namespace stator::host {

bool Signature::verify(std::string_view bytes, std::span<const std::uint8_t, 64> signature) {
    tls::Signature raw{};
    std::memcpy(raw.data(), signature.data(), raw.size());
    return tls_.verify(public_pem_, bytes, raw);
}

void Signature::sha256(std::span<const std::byte> bytes, std::span<std::uint8_t, 32> digest) {
    const auto hash = tls::sha256({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    std::memcpy(digest.data(), hash.data(), hash.size());
}

}  // namespace stator::host
