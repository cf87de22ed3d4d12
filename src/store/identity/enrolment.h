// Enrolment turns a one-time code and a certificate request into a device's certificate.
//
// A code (100 random bits, written in groups for reading aloud) is bound to one device id and role,
// expires, and works once; only its SHA-256 is kept, in one JSON file replaced atomically under a
// lock, so `stator device add` may write it while the registry serves. The certificate goes out
// only after the code's use is durable.
#pragma once

#include "store/identity/site.h"
#include "store/identity/tokens.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stator::identity {

struct Enrolled {
    std::string certificate;  // PEM: the leaf, valid for a year
    std::string ca;           // PEM
    Role role = Role::nobody;
    std::string serial;  // upper-case hex: what revocation names
};

class Enrolment {
  public:
    Enrolment(doors::Doors& doors, Site site);

    // A code for `device_id`, to be shown once; a second one replaces the first. Role is sensor,
    // actor or level2.
    [[nodiscard]] Outcome<std::string> make_code(
        const std::string& device_id, Role role, std::int64_t valid_for_s = 24L * 3600
    );
    // Fault::denied for a wrong, used or expired code or another's id (all the same to the asker);
    // bad_input for a bad request.
    [[nodiscard]] Outcome<Enrolled> enrol(
        std::string_view code, std::string_view request_pem, const std::string& device_id
    );
    // Without a code, for `stator device add` on the machine that has the CA: key and certificate
    // for somebody whom the caller vouches for.
    [[nodiscard]] Outcome<Enrolled> issue(
        std::string_view request_pem, const std::string& id, Role role
    );

  private:
    struct Code {
        std::string sha256_hex;
        std::string device_id;
        Role role = Role::nobody;
        std::int64_t expires_unix_ms = 0;
    };

    [[nodiscard]] Outcome<std::vector<Code>> load();
    [[nodiscard]] Outcome<void> save(const std::vector<Code>& codes);

    doors::Doors& doors_;
    Site site_;
};

// May `id` be a device's or service's name: 1..64 of A-Z a-z 0-9 . _ - , not beginning with '.'?
// (It stands in topics, paths and URIs.)
[[nodiscard]] bool is_id(std::string_view id);

}  // namespace stator::identity
