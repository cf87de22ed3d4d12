// An [[asset]] of stator.toml, read and written.
//
// It begins as its profile, if it names one. An [[asset.channel]] of a name that the profile has
// changes what it says of that channel (its calibration: an asset has one device, so this is the
// device's); any other adds one. `statistics` asks for features beside the primary one. The order
// of the features is the profile's, then that of the file.
#pragma once

#include "shared/asset/asset.h"
#include "world/outcome/outcome.h"
#include "world/settings/read_toml.h"

#include <string>

namespace stator::config {

[[nodiscard]] Outcome<asset::Asset> read_asset(const toml::table& table, const std::string& file);
[[nodiscard]] std::string asset_toml(const asset::Asset& asset);

}  // namespace stator::config
