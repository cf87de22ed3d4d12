// Parts makes each process's Part out of the site's configuration: wiring and nothing else.
//
// The same functions serve the real processes and the simulation. `config` must outlive the Part.
#pragma once

#include "app/config/config.h"
#include "app/part/part.h"
#include "transport/adopt/intake.h"
#include "world/doors/doors.h"

#include <memory>
#include <string>
#include <vector>

namespace stator::parts {

using Made = Outcome<std::unique_ptr<part::Part>>;

[[nodiscard]] Made make_registry(doors::Doors& doors, const config::Config& config);
// `only` this of its services, on its own port: "devices", "models" or "datasets".
[[nodiscard]] Made make_one_registry(
    doors::Doors& doors, const config::Config& config, const std::string& only
);
[[nodiscard]] Made make_ingest(doors::Doors& doors, const config::Config& config);
[[nodiscard]] Made make_learn(doors::Doors& doors, const config::Config& config);
[[nodiscard]] Made make_level2(doors::Doors& doors, const config::Config& config);
// In level 2's place, where a foreign process infers (sidecar.server).
[[nodiscard]] Made make_sidecar(doors::Doors& doors, const config::Config& config);
// Held by whichever of the two speaks as level 2: they have one identity.
[[nodiscard]] Outcome<std::unique_ptr<disk::Lock>> lock_level2(
    doors::Doors& doors, const config::Config& config
);
// Only for a site with Kafka (kafka.bootstrap); always a real one.
[[nodiscard]] Made make_bridge(doors::Doors& doors, const config::Config& config);

[[nodiscard]] Made make_adopt(
    doors::Doors& doors,
    const adopt::Ways& ways,
    const config::Config& config,
    const std::string& map_file
);

// The devices of assets that adopt.map feeds from other brokers: they are not to be enrolled here.
[[nodiscard]] Outcome<std::vector<std::string>> adopted_devices(
    doors::Doors& doors, const config::Config& config
);

struct ConsoleOptions {
    std::string web_dir;  // empty: no page
    std::string badge;
    std::int64_t story_unix_ms = 0;  // what came before is not told again
    bool has_plant = false;
};

[[nodiscard]] Made make_console(
    doors::Doors& doors, const config::Config& config, ConsoleOptions options
);

struct NodeOptions {
    std::string device;     // deviceID
    std::string directory;  // with its provisioning.json
    std::string recording;  // a file: the recorded machine instead of the simulated one
    std::string map;
    bool backup_blocked = false;
    std::string plant_token;           // who may break and repair the motor
    std::vector<std::string> sources;  // CHANNEL=FILE: counts of a sensor that Linux shows so
    bool only_try = false;             // print what the sensors give, and end
    std::string bench;  // a folder: only the machine runs here, for an emulated board there
};

// What the sensors of the device give now; needs no running site.
[[nodiscard]] Outcome<std::string> try_node(
    doors::Doors& doors, const config::Config& config, const NodeOptions& options
);

[[nodiscard]] Made make_node(
    doors::Doors& doors, const config::Config& config, NodeOptions options
);

}  // namespace stator::parts
