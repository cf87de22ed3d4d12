// Compose writes a manifest's JSON so that parse() reads the same bits back.
//
// Floats are written as the shortest decimal that is the same float. What travels along for people
// (card, lineage) is one JSON object that receivers ignore.
#pragma once

#include "shared/bundle/manifest.h"

#include <span>
#include <string_view>

namespace stator::bundle {

// `card`: a JSON object, or empty. Fault::full when `into` (envelope_bytes_max) is too small.
[[nodiscard]] base::Result<std::string_view> compose(
    const Manifest& manifest, std::string_view card, std::span<char> into
);

}  // namespace stator::bundle
