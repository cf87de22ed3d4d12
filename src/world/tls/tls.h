// The tls door: keys, certificates, signatures and hashes.
//
// Keys are ECDSA P-256 in PEM; signatures are raw r||s, 64 bytes, over SHA-256. Who somebody is
// stands in a SAN URI: urn:stator:<role>:<id>. The simulated door is deterministic (its keys and
// signatures follow from the seed) and hashes with the same SHA-256.
#pragma once

#include "world/outcome/outcome.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stator::tls {

using Sha256 = std::array<std::uint8_t, 32>;
using Signature = std::array<std::uint8_t, 64>;

struct CertificateFacts {
    std::string uri;     // first SAN URI, or empty
    std::string serial;  // upper-case hex
    std::int64_t not_before_unix_ms = 0;
    std::int64_t not_after_unix_ms = 0;
    std::string sha256_hex;  // of the DER form
    std::string common_name;
    std::string public_key;  // PEM, as public_key() gives it
};

struct Subject {
    std::string common_name{};
    std::string uri{};                     // SAN URI, or empty
    std::vector<std::string> dns_names{};  // SAN DNS names
    std::vector<std::string> ip_addresses{};
    bool server = false;  // extended key usage
    bool client = false;
};

class Tls {
  public:
    virtual ~Tls() = default;
    [[nodiscard]] virtual Outcome<std::string> make_key() = 0;  // private key, PEM (PKCS #8)
    [[nodiscard]] virtual Outcome<std::string> public_key(std::string_view private_pem) = 0;
    // A self-signed CA certificate (PEM).
    [[nodiscard]] virtual Outcome<std::string> make_ca(
        std::string_view ca_key_pem, std::string_view common_name, int days
    ) = 0;
    // A certificate request (PEM) that proves the possession of the key.
    [[nodiscard]] virtual Outcome<std::string> make_request(
        std::string_view key_pem, std::string_view common_name
    ) = 0;
    // Signs the request's key for `subject`; names inside the request are ignored.
    [[nodiscard]] virtual Outcome<std::string> issue(
        std::string_view ca_key_pem,
        std::string_view ca_certificate_pem,
        std::string_view request_pem,
        const Subject& subject,
        int days
    ) = 0;
    // Of the first certificate of a chain.
    [[nodiscard]] virtual Outcome<CertificateFacts> inspect(std::string_view certificate_pem) = 0;
    // Did this CA issue the first certificate of the chain, and is it valid now? Fault::denied.
    [[nodiscard]] virtual Outcome<void> check(
        std::string_view certificate_pem, std::string_view ca_certificate_pem
    ) = 0;
    [[nodiscard]] virtual Outcome<Signature> sign(
        std::string_view private_pem, std::string_view bytes
    ) = 0;
    [[nodiscard]] virtual bool verify(
        std::string_view public_pem, std::string_view bytes, const Signature& signature
    ) = 0;
};

// Pure; the same everywhere.
[[nodiscard]] Sha256 sha256(std::string_view bytes);
[[nodiscard]] Sha256 hmac_sha256(std::string_view key, std::string_view bytes);  // RFC 2104
[[nodiscard]] std::string hex(const std::uint8_t* bytes, std::size_t size);
[[nodiscard]] std::string sha256_hex(std::string_view bytes);
[[nodiscard]] bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace stator::tls
