// Prepare makes a site ready to run: keys and certificates, its configuration, ports that are free,
// the broker's configuration, and the provisioning of the demonstration's device.
//
// Everything may be run again on a state directory as a kill left it: what is there is kept.
#pragma once

#include "app/config/config.h"
#include "store/identity/site.h"
#include "world/doors/doors.h"

#include <string>
#include <vector>

namespace stator::site {

// The configuration of the site in `state_dir`: stator.toml, then run/ports.toml, then environment
// as the `component` hears it.
[[nodiscard]] Outcome<config::Config> load(
    disk::Disk& disk,
    const std::string& state_dir,
    const config::Environment& environment,
    const std::string& component = {}
);

// Writes stator.toml when there is none.
[[nodiscard]] Outcome<void> write_config(disk::Disk& disk, const config::Config& config, bool demo);

// Takes free ports where the wanted ones are taken; writes run/ports.toml; a sentence for each
// port that is another than wanted.
[[nodiscard]] Outcome<std::vector<std::string>> choose_ports(
    doors::Doors& doors, config::Config& config
);

// conf/mosquitto.conf for the broker; its path.
[[nodiscard]] Outcome<std::string> write_broker_conf(
    doors::Doors& doors, const config::Config& config, const std::string& user
);

// Registers the asset's device and level 2, and gives the device its one-time code in
// nodes/<id>/provisioning.json (again only when it is not enrolled yet).
[[nodiscard]] Outcome<void> provision(
    doors::Doors& doors,
    const config::Config& config,
    const identity::Site& site,
    const asset::Asset& asset
);

// Registers a level-2 board that may judge these devices, and gives it its code likewise.
// Fault::exists for an id that has another role, denied for one that was revoked.
[[nodiscard]] Outcome<void> provision_level2(
    doors::Doors& doors,
    const config::Config& config,
    const identity::Site& site,
    const std::string& id,
    const std::vector<std::string>& devices
);

// A token of the operator role for scripts on this machine, in run/operator.token (0600).
[[nodiscard]] Outcome<std::string> operator_token(
    doors::Doors& doors, const config::Config& config
);

// The token of the bench's motor, in run/plant.token (0600).
[[nodiscard]] Outcome<std::string> plant_token(doors::Doors& doors, const config::Config& config);

}  // namespace stator::site
