// SimulatedTls is the tls door of the simulation: deterministic, quick, and of no secrecy at all.
//
// Keys follow from a Chance; a key's public form is the hash of its private one; a signature is
// HMAC-SHA256 under the public form, so a wrong key, a changed byte or a changed certificate fails
// as it would in earnest, but whoever knows the public key could sign. Certificates are the same
// facts in PEM-like armour, signed by their CA, with the same checks of time, names and use.
#pragma once

#include "world/chance/chance.h"
#include "world/clock/clock.h"
#include "world/tls/tls.h"

namespace stator::tls {

class SimulatedTls final : public Tls {
  public:
    SimulatedTls(chance::Chance& chance, clock::Clock& clock) : chance_{chance}, clock_{clock} {}

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
    chance::Chance& chance_;
    clock::Clock& clock_;
};

// What a simulated certificate's holder may be: for the simulated http and mqtt doors.
struct SimulatedUse {
    bool server = false;
    bool client = false;
    std::vector<std::string> hosts;  // DNS names and addresses
};

[[nodiscard]] Outcome<SimulatedUse> simulated_use(std::string_view certificate_pem);
// The certificates of a chain, each in its armour.
[[nodiscard]] std::vector<std::string> split_chain(std::string_view pem);

}  // namespace stator::tls
