// A Site is what `stator init` makes once: the trust root of one installation.
//
//   <state>/pki/ca.pem ca.key              the CA; everything below is issued by it
//               server.pem server.key      chain (leaf, CA) of every HTTPS and MQTT server
//               NAME.pem NAME.key          client chains of ingest, learn, rollout, console, bridge
//                                          (role service), level2-1 (role level2) and
//                                          adopt (role adopter)
//               model-signing.key .pub     the registry signs models; devices hold the .pub
//               tokens.json                operators' tokens, as hashes (tokens.h)
//
// init() may be killed at any moment and run again: what is there and belongs together is kept,
// what is missing is made, nothing is overwritten. Files of keys are 0600. A certificate whose key
// is not its own, or that is of another CA, is an Error that names the file.
#pragma once

#include "world/doors/doors.h"
#include "world/outcome/outcome.h"

#include <string>
#include <vector>

namespace stator::identity {

struct Site {
    std::string state_directory;
    std::string ca_sha256;          // of the CA's DER form: what a device pins to enrol
    std::vector<std::string> made;  // by this call: paths, in order
    std::string admin_token;        // only from the call that made it: it is shown once, then gone

    [[nodiscard]] std::string pki(std::string_view file) const;  // <state>/pki/<file>

    [[nodiscard]] std::string ca_file() const { return pki("ca.pem"); }

    [[nodiscard]] std::string certificate_file(std::string_view name) const;
    [[nodiscard]] std::string key_file(std::string_view name) const;
};

struct InitOptions {
    std::vector<std::string> host_names;  // beyond localhost, 127.0.0.1 and ::1; names or addresses
    std::string site_name = "stator";
    int ca_days = 3650;
    int certificate_days = 825;
};

[[nodiscard]] Outcome<Site> init(
    doors::Doors& doors, const std::string& state_directory, const InitOptions& options = {}
);

// The client chain NAME.pem, NAME.key (role service) of one more service; kept where it is there.
// Fault::exists: init() has made NAME, for another.
[[nodiscard]] Outcome<void> add_service(
    doors::Doors& doors, const Site& site, std::string_view name
);

// The Site that init() has made: Fault::not_found, and what to do, when it has not.
[[nodiscard]] Outcome<Site> open(doors::Doors& doors, const std::string& state_directory);

}  // namespace stator::identity
