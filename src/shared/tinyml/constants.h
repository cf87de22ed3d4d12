// Small int32 tensors whose numbers are known at load: a constant's, or those that were folded.
//
// Converters emit SHAPE, STRIDED_SLICE, PACK and CONCATENATION to reckon the shape of a dynamic
// batch. In a file with fixed shapes all of that is constant, so it is done once and never runs.
#pragma once

#include "shared/tinyml/program.h"

namespace stator::tinyml {

struct Whole {
    std::array<std::int32_t, folded_max> values{};
    std::uint32_t count = 0;
};

// False, without a word, when the tensor is not of that kind.
[[nodiscard]] bool known_numbers(Builder&, std::int32_t tensor, Whole& out);

}  // namespace stator::tinyml
