// The conformance suite on the chip: built in its place by CONFIG_STATOR_CONFORMANCE, for a bench
// whose valve and pump may move. It wipes the `node` partition.
#pragma once

#include <string_view>

namespace stator::esp32 {

// What is broken; empty when all is well.
[[nodiscard]] std::string_view check_chip();

}  // namespace stator::esp32
