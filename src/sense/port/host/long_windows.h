// The long windows of an asset: what node::Gapless is given where there is a heap.
#pragma once

#include "shared/asset/asset.h"
#include "shared/signal/long_window.h"

#include <vector>

namespace stator::host {

// One for each channel that needs one, in their order; empty for most assets.
[[nodiscard]] inline std::vector<signal::LongWindow> long_windows_of(const asset::Asset& asset) {
    std::vector<signal::LongWindow> made;
    for (std::size_t i = 0; i < asset.channels.size(); ++i)
        if (asset::needs_long_window(asset, i)) made.emplace_back(asset.channels[i].calibration);
    return made;
}

}  // namespace stator::host
