// The planner gives every activation its bytes in the arena; tensors that never live at the same
// time share them.
//
// Greedy by size: the largest first, each at the lowest offset where nothing alive is in the way.
// The result depends on the graph alone, so a server can tell what a device will need.
#pragma once

#include "shared/tinyml/program.h"

namespace stator::tinyml {

// Places from byte `base` on; the answer is the first free byte behind. `base` is a multiple of 4.
[[nodiscard]] bool plan(Graph& graph, std::uint32_t base, std::uint32_t& end);

}  // namespace stator::tinyml
