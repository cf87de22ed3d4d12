// Provisioning is what a device is given once, as a file; enrol() makes a credential of it.
//
// The device makes its own key, which never leaves its directory. It presents the one-time code to
// the registry whose CA certificate has the pinned SHA-256, and keeps what it gets:
//
//   <directory>/provisioning.json   the facts below
//               key.pem (0600)  certificate.pem  ca.pem
//
// enrol() may be killed at any moment and run again: the same key asks again, and a device that has
// its certificate asks nobody.
#pragma once

#include "world/doors/doors.h"
#include "world/outcome/outcome.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace stator::host {

struct Provisioning {
    std::string device;  // deviceID, MQTT client id
    std::string mqtt_host = "127.0.0.1";
    std::uint16_t mqtt_port = 8883;
    std::string devices_url = "https://127.0.0.1:30006";
    std::string models_url = "https://127.0.0.1:30007";
    std::string code;              // one-time
    std::string ca_sha256;         // hex
    std::string model_public_pem;  // who may sign a model
};

[[nodiscard]] std::string to_json(const Provisioning& provisioning);
[[nodiscard]] Outcome<Provisioning> parse_provisioning(
    std::string_view json, const std::string& file
);
[[nodiscard]] Outcome<Provisioning> read_provisioning(
    doors::Doors& doors, const std::string& directory
);

struct Credential {  // paths
    std::string ca_file;
    std::string certificate_file;
    std::string key_file;
};

[[nodiscard]] Credential credential_in(const std::string& directory);
[[nodiscard]] bool is_enrolled(doors::Doors& doors, const std::string& directory);
[[nodiscard]] Outcome<Credential> enrol(
    doors::Doors& doors, const Provisioning& provisioning, const std::string& directory
);

}  // namespace stator::host
