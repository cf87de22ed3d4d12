// OpenSslTls is the tls door on OpenSSL 3: P-256 keys in PKCS #8, X.509 v3 certificates.
//
// Keys and serial numbers come from OpenSSL's own generator; validity is counted on the given
// clock, from five minutes ago so that a peer whose clock is a little behind accepts it. A leaf
// never outlives its CA. Serial numbers are 128 random bits.
#pragma once

#include "world/clock/clock.h"
#include "world/tls/tls.h"

namespace stator::tls {

class OpenSslTls final : public Tls {
  public:
    explicit OpenSslTls(clock::Clock& clock) : clock_{clock} {}

    [[nodiscard]] Outcome<std::string> make_key() override;
    [[nodiscard]] Outcome<std::string> public_key(std::string_view private_pem) override;
    [[nodiscard]] Outcome<std::string> make_ca(
        std::string_view ca_key_pem, std::string_view common_name, int days
    ) override;
    [[nodiscard]] Outcome<std::string> make_request(
        std::string_view key_pem, std::string_view common_name
    ) override;
    [[nodiscard]] Outcome<std::string> issue(
        std::string_view ca_key_pem,
        std::string_view ca_certificate_pem,
        std::string_view request_pem,
        const Subject& subject,
        int days
    ) override;
    [[nodiscard]] Outcome<CertificateFacts> inspect(std::string_view certificate_pem) override;
    [[nodiscard]] Outcome<void> check(
        std::string_view certificate_pem, std::string_view ca_certificate_pem
    ) override;
    [[nodiscard]] Outcome<Signature> sign(std::string_view private_pem, std::string_view bytes)
        override;
    [[nodiscard]] bool verify(
        std::string_view public_pem, std::string_view bytes, const Signature& signature
    ) override;

  private:
    clock::Clock& clock_;
};

}  // namespace stator::tls
