// LearnOptions is what the learning tasks of a site need: for the process and for those by hand.
#pragma once

#include "app/config/config.h"
#include "learn/pipeline/pipeline.h"

#include <string>

namespace stator::parts {

[[nodiscard]] pipeline::Options learn_options(const config::Config& config);

// A sentence about keys that are set and have no effect; empty when there are none.
[[nodiscard]] std::string unused_keys(const config::Config& config);

}  // namespace stator::parts
