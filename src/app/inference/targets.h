// Targets are where a model may run, each with the room that its port gives to one.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace stator::inference {

struct Target {
    std::string_view name;
    std::size_t arena_bytes_max = 0;
    std::size_t file_bytes_max = 0;
};

[[nodiscard]] std::array<Target, 4> targets();

}  // namespace stator::inference
